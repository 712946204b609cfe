//! `mcp-orch metrics`: what a running hub has counted, in the text format of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use orch_config::cli::Metrics;
use orch_driver::{BOUNDS, Meter};

use crate::admin::{Answer, Request, ask, is_running};
use crate::terminal;

pub(crate) async fn run(args: Metrics) -> anyhow::Result<ExitCode> {
    let (data, project) = (&args.state.data_dir, &args.state.project);
    if !is_running(data).await {
        bail!(
            "no hub runs with the data in {}: there is nothing counted. Start it with `mcp-orch serve`",
            data.display()
        );
    }
    let request = Request::Meters { project: project.clone() };
    let Answer::Meters(meters) = ask(data, request).await? else { bail!("unexpected answer") };
    terminal::line(text(project, &meters).trim_end());
    Ok(ExitCode::SUCCESS)
}

fn text(project: &str, meters: &[(String, Meter)]) -> String {
    let mut out = String::new();
    let mut say = |line: std::fmt::Arguments<'_>| {
        // Writing to a string does not fail.
        let _written = writeln!(out, "{line}");
    };
    say(format_args!("# HELP mcp_orch_calls_total Calls of tools that have ended."));
    say(format_args!("# TYPE mcp_orch_calls_total counter"));
    for (server, it) in meters {
        let outcomes =
            [("done", it.done), ("failed", it.failed), ("error", it.errors), ("cancelled", it.cancelled)];
        for (outcome, count) in outcomes {
            let labels = format_args!("project=\"{project}\",server=\"{server}\",outcome=\"{outcome}\"");
            say(format_args!("mcp_orch_calls_total{{{labels}}} {count}"));
        }
    }
    say(format_args!(
        "# HELP mcp_orch_call_bytes_total Bytes of the messages of calls, and of their answers."
    ));
    say(format_args!("# TYPE mcp_orch_call_bytes_total counter"));
    for (server, it) in meters {
        for (way, bytes) in [("asked", it.asked), ("answered", it.answered)] {
            let labels = format_args!("project=\"{project}\",server=\"{server}\",way=\"{way}\"");
            say(format_args!("mcp_orch_call_bytes_total{{{labels}}} {bytes}"));
        }
    }
    say(format_args!("# HELP mcp_orch_call_seconds From the arrival of a call to its end."));
    say(format_args!("# TYPE mcp_orch_call_seconds histogram"));
    for (server, it) in meters {
        let labels = format!("project=\"{project}\",server=\"{server}\"");
        let mut sum = 0;
        for (bound, count) in
            BOUNDS.iter().map(|ms| seconds(u64::from(*ms))).chain(["+Inf".to_owned()]).zip(it.spans)
        {
            sum += count;
            say(format_args!("mcp_orch_call_seconds_bucket{{{labels},le=\"{bound}\"}} {sum}"));
        }
        say(format_args!("mcp_orch_call_seconds_sum{{{labels}}} {}", seconds(it.ms)));
        say(format_args!("mcp_orch_call_seconds_count{{{labels}}} {sum}"));
    }
    out
}

fn seconds(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_said_as_prometheus_reads_them() {
        let mut meter = Meter { done: 3, errors: 1, ms: 1_250, asked: 7, answered: 9, ..Meter::default() };
        (meter.spans[0], meter.spans[6]) = (2, 2);
        let text = text("default", &[("echo".to_owned(), meter)]);
        for line in [
            r#"mcp_orch_calls_total{project="default",server="echo",outcome="done"} 3"#,
            r#"mcp_orch_calls_total{project="default",server="echo",outcome="error"} 1"#,
            r#"mcp_orch_call_bytes_total{project="default",server="echo",way="answered"} 9"#,
            r#"mcp_orch_call_seconds_bucket{project="default",server="echo",le="0.001"} 2"#,
            r#"mcp_orch_call_seconds_bucket{project="default",server="echo",le="0.25"} 4"#,
            r#"mcp_orch_call_seconds_bucket{project="default",server="echo",le="120"} 4"#,
            r#"mcp_orch_call_seconds_bucket{project="default",server="echo",le="+Inf"} 4"#,
            r#"mcp_orch_call_seconds_sum{project="default",server="echo"} 1.25"#,
            r#"mcp_orch_call_seconds_count{project="default",server="echo"} 4"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }
}
