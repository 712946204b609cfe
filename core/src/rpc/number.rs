//! Numbers by their value.

/// The value of a raw id that the hub has made: a number, however a peer spells it (`7`, `7.0`, `70e-1`).
pub fn number_of(raw: &str) -> Option<u64> {
    whole(raw).and_then(|value| value.try_into().ok())
}

/// Whether a raw value is a whole number, however it is spelt and of whatever size.
pub(crate) fn is_whole(raw: &str) -> bool {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())) || whole(raw).is_some()
}

/// The value of a raw number that is whole and not too large to be looked at.
pub(super) fn whole(raw: &str) -> Option<i128> {
    let (mantissa, exponent) = raw.split_once(['e', 'E']).unwrap_or((raw, "0"));
    let (digits, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let value: i128 = [digits, fraction].concat().parse().ok()?;
    let places = i32::try_from(fraction.len()).ok()?;
    let shift = exponent.parse::<i32>().ok()?.checked_sub(places)?;
    let scale = 10_i128.checked_pow(shift.unsigned_abs())?;
    if shift >= 0 {
        return value.checked_mul(scale);
    }
    let is_whole = value.checked_rem(scale)? == 0;
    if is_whole { value.checked_div(scale) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_known_by_its_value_however_it_is_spelt() {
        for raw in ["70", "70.0", "7e1", "7.0E+1", "7000e-2", "70.000"] {
            assert_eq!(number_of(raw), Some(70), "{raw}");
        }
        assert_eq!(whole("-7.0"), Some(-7));
    }

    #[test]
    fn what_is_not_whole_or_no_number_or_too_large_is_none_of_the_hub_s() {
        for raw in ["70.5", "7e-1", "-70", "\"70\"", "null", "7e999999999999", "1e40", "{}", ""] {
            assert_eq!(number_of(raw), None, "{raw}");
        }
    }
}
