//! The paths of the REST interface, and what each method does there. Pure.

use http::Method;

/// A place of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'p> {
    /// Slug or UUID.
    pub(crate) project: &'p str,
    pub(crate) what: What<'p>,
}

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What<'p> {
    /// The runs of the caller.
    Batches,
    /// A run.
    Batch(&'p str),
    /// Where a run is given up.
    Cancel(&'p str),
    /// What happens to a run.
    Events(&'p str),
    /// The result of a step, or the output.
    Result(&'p str, Option<&'p str>),
    /// Where a run is begun once more.
    Retry(&'p str),
}

impl<'p> Place<'p> {
    /// The place of what follows `/api/projects/`.
    pub(crate) fn find(segments: [Option<&'p str>; 5]) -> Option<Self> {
        let (project, what) = match segments {
            [Some(project), Some("batches"), None, ..] => (project, What::Batches),
            [Some(project), Some("batches"), Some(run), None, _] => (project, What::Batch(run)),
            [Some(project), Some("batches"), Some(run), Some("cancel"), None] => (project, What::Cancel(run)),
            [Some(project), Some("batches"), Some(run), Some("events"), None] => (project, What::Events(run)),
            [Some(project), Some("batches"), Some(run), Some("results"), step] => {
                (project, What::Result(run, step))
            }
            [Some(project), Some("batches"), Some(run), Some("retry"), None] => (project, What::Retry(run)),
            _ => return None,
        };
        Some(Self { project, what })
    }

    /// The names in it, which are all of the same letters.
    pub(crate) fn names(&self) -> [Option<&'p str>; 3] {
        let (run, step) = match self.what {
            What::Batches => (None, None),
            What::Batch(run) | What::Cancel(run) | What::Events(run) | What::Retry(run) => (Some(run), None),
            What::Result(run, step) => (Some(run), step),
        };
        [Some(self.project), run, step]
    }
}

impl What<'_> {
    /// The methods that it has.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Batches => "GET, POST",
            Self::Batch(_) | Self::Events(_) | Self::Result(..) => "GET",
            Self::Cancel(_) | Self::Retry(_) => "POST",
        }
    }

    pub(crate) fn has(self, method: &Method) -> bool {
        self.allow().split(", ").any(|allowed| method.as_str() == allowed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::route::Route;

    #[test]
    fn the_description_has_the_paths_and_methods_that_there_are_and_no_others() {
        let description: serde_json::Value = serde_json::from_slice(super::super::DESCRIPTION).unwrap();
        assert_eq!(description["openapi"], "3.1.0");
        let mut described = BTreeSet::new();
        for (path, item) in description["paths"].as_object().unwrap() {
            let path = path.replace("{project}", "p").replace("{run}", "0123456789ab").replace("{step}", "s");
            let Ok(Route::Api(place)) = Route::parse(&path) else { panic!("{path} is no place") };
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            let methods: BTreeSet<String> = methods.map(|method| method.to_uppercase()).collect();
            let allowed: BTreeSet<String> = place.what.allow().split(", ").map(str::to_owned).collect();
            assert_eq!(methods, allowed, "{path}");
            described.insert(format!("{:?}", place.what));
        }
        let run = "0123456789ab";
        let all = [
            What::Batches,
            What::Batch(run),
            What::Cancel(run),
            What::Events(run),
            What::Result(run, None),
            What::Result(run, Some("s")),
            What::Retry(run),
        ];
        assert_eq!(described, all.iter().map(|what| format!("{what:?}")).collect());
    }
}
