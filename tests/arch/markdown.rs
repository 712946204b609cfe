//! The little of Markdown that these tests read: links, list items and code spans.

/// A link to a file, and the line on which it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
}

/// The links to files in a document. Links to the web and to headings of the same document are not among them.
pub(crate) fn file_links(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (line, prose) in prose_lines(text) {
        let inline = prose.match_indices("](").map(|(start, opening)| &prose[start + opening.len()..]);
        let inline = inline.filter_map(|rest| rest.split([')', ' ']).next());
        let reference =
            prose.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, to)| to.trim());
        for target in inline.chain(reference) {
            let path = target.split('#').next().unwrap_or_default().trim_matches(['<', '>']);
            if !path.is_empty() && !path.contains("://") && !path.starts_with("mailto:") {
                links.push(Link { line, target: path.to_owned() });
            }
        }
    }
    links
}

/// The list items that open with `prefix`, each with the lines that continue it, as one line.
pub(crate) fn list_items(text: &str, prefix: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if line.starts_with(prefix) {
            items.push(line.to_owned());
            open = true;
        } else if open && line.starts_with("  ") {
            if let Some(item) = items.last_mut() {
                item.push(' ');
                item.push_str(line.trim());
            }
        } else {
            open = false;
        }
    }
    items
}

/// The contents of the code spans in a line.
pub(crate) fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The lines outside of code blocks, numbered, with code spans blanked.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        let prose: Vec<&str> = line.split('`').step_by(2).collect();
        (!fenced).then(|| (index + 1, prose.join(" ")))
    })
}

#[test]
fn links_to_files_are_found_and_others_are_not() {
    let text = "see [a](docs/a.md#part \"title\") and [b](https://example.org/x)\n[c](#here) `[d](e)`\n\
                ```\n[f](g)\n```\n[h]: ../i.md\n";
    let link = |line, target: &str| Link { line, target: target.to_owned() };
    assert_eq!(file_links(text), [link(1, "docs/a.md"), link(6, "../i.md")]);
}

#[test]
fn list_item_takes_its_continuation_with_it() {
    let text = "- **I-1** one\n  `a.rs::b`\n- other\n  more\n- **I-2** two\n\nend\n";
    assert_eq!(list_items(text, "- **I-"), ["- **I-1** one `a.rs::b`", "- **I-2** two"]);
    assert_eq!(code_spans("x `a` y `b` z").collect::<Vec<_>>(), ["a", "b"]);
}
