//! The schema of the specification, as far as it can be wrong in what servers say of themselves and ask, and clients answer.

use core::fmt;

/// What a value is to be.
#[derive(Debug)]
pub(super) enum Shape {
    /// Any object; `true` means an empty one.
    Ability(&'static [Member]),
    /// A boolean.
    Flag,
    /// An array, each element of a shape.
    List(&'static Self),
    /// An object whose members may have any names. Those that are of another shape are left out.
    Map(&'static Self),
    /// A number.
    Number,
    /// An object with these members, and any others.
    Of(&'static [Member]),
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A number from 0 to 1.
    Part,
    /// An object of JSON schemas. Those that are booleans are of 2026-07-28; before, an object says the same.
    Schemas,
    /// A value of a shape, or an array of such.
    Several(&'static Self),
    /// A string.
    Text,
    /// An object whose member `type` is one of these strings, with the members that such an object has beside it.
    Typed(&'static [(&'static str, &'static [Member])]),
}

impl fmt::Display for Shape {
    /// What a value of another shape is to be instead.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ability(_) | Self::Map(_) | Self::Of(_) | Self::Schemas | Self::Typed(_) => {
                f.write_str("an object")
            }
            Self::Flag => f.write_str("true or false"),
            Self::List(_) => f.write_str("an array"),
            Self::Number => f.write_str("a number"),
            Self::OneOf(texts) => write!(f, "one of {}", texts.join(", ")),
            Self::Part => f.write_str("a number from 0 to 1"),
            Self::Several(one) => write!(f, "{one} or an array"),
            Self::Text => f.write_str("a string"),
        }
    }
}

/// A member of an object. One that is `null` is not there.
#[derive(Debug)]
pub(super) struct Member {
    pub name: &'static str,
    pub shape: Shape,
    pub need: Need,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The object is nothing without it.
    Always,
    /// It may be missing. If it is there, the object means something else without it.
    IfThere,
    /// The object can be used without it.
    Never,
}

pub(super) const fn needs(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, need: Need::Always }
}

const fn keeps(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, need: Need::IfThere }
}

pub(super) const fn may(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, need: Need::Never }
}

pub(super) const OBJECT: Shape = Shape::Of(&[]);

const ICONS: Shape = Shape::List(&Shape::Of(&[
    needs("src", Shape::Text),
    may("mimeType", Shape::Text),
    may("sizes", Shape::List(&Shape::Text)),
    may("theme", Shape::OneOf(&["dark", "light"])),
]));

const ANNOTATIONS: Shape = Shape::Of(&[
    may("audience", Shape::List(&Shape::OneOf(&["assistant", "user"]))),
    may("priority", Shape::Part),
    may("lastModified", Shape::Text),
]);

pub(super) static TOOL: Shape = Shape::Of(&[
    needs("name", Shape::Text),
    needs(
        "inputSchema",
        Shape::Of(&[
            needs("type", Shape::OneOf(&["object"])),
            keeps("properties", Shape::Schemas),
            keeps("required", Shape::List(&Shape::Text)),
        ]),
    ),
    may("title", Shape::Text),
    may("description", Shape::Text),
    may("icons", ICONS),
    may(
        "outputSchema",
        Shape::Of(&[keeps("properties", Shape::Schemas), keeps("required", Shape::List(&Shape::Text))]),
    ),
    may(
        "annotations",
        Shape::Of(&[
            may("title", Shape::Text),
            may("readOnlyHint", Shape::Flag),
            may("destructiveHint", Shape::Flag),
            may("idempotentHint", Shape::Flag),
            may("openWorldHint", Shape::Flag),
        ]),
    ),
    may("execution", Shape::Of(&[may("taskSupport", Shape::OneOf(&["forbidden", "optional", "required"]))])),
    may("_meta", OBJECT),
]);

pub(super) static PROMPT: Shape = Shape::Of(&[
    needs("name", Shape::Text),
    may("title", Shape::Text),
    may("description", Shape::Text),
    may("icons", ICONS),
    keeps(
        "arguments",
        Shape::List(&Shape::Of(&[
            needs("name", Shape::Text),
            may("title", Shape::Text),
            may("description", Shape::Text),
            may("required", Shape::Flag),
        ])),
    ),
    may("_meta", OBJECT),
]);

pub(super) static RESOURCE: Shape = Shape::Of(&[
    needs("uri", Shape::Text),
    needs("name", Shape::Text),
    may("title", Shape::Text),
    may("description", Shape::Text),
    may("mimeType", Shape::Text),
    may("size", Shape::Number),
    may("icons", ICONS),
    may("annotations", ANNOTATIONS),
    may("_meta", OBJECT),
]);

pub(super) static TEMPLATE: Shape = Shape::Of(&[
    needs("uriTemplate", Shape::Text),
    needs("name", Shape::Text),
    may("title", Shape::Text),
    may("description", Shape::Text),
    may("mimeType", Shape::Text),
    may("icons", ICONS),
    may("annotations", ANNOTATIONS),
    may("_meta", OBJECT),
]);

pub(super) static CAPABILITIES: Shape = Shape::Of(&[
    may("tools", Shape::Ability(&[may("listChanged", Shape::Flag)])),
    may("prompts", Shape::Ability(&[may("listChanged", Shape::Flag)])),
    may("resources", Shape::Ability(&[may("listChanged", Shape::Flag), may("subscribe", Shape::Flag)])),
    may("completions", Shape::Ability(&[])),
    may("logging", Shape::Ability(&[])),
    may("tasks", Shape::Ability(&[may("list", OBJECT), may("cancel", OBJECT), may("requests", OBJECT)])),
    may("extensions", Shape::Map(&OBJECT)),
    may("experimental", Shape::Map(&OBJECT)),
]);
