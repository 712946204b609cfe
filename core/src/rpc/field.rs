//! The members that the hub reads, and where they stand in a message.

/// A half-open range of bytes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes of this span in `text`; empty when the span is not of this text.
    pub fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// The object that a member belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// The message itself.
    Message,
    /// The value of `params`, `result` or `error`.
    Body,
    /// `_meta` of the body.
    Meta,
    /// `ref` of the body (`completion/complete`).
    Reference,
    /// Anything else: validated, not indexed.
    Other,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $section:ident $key:literal,)*) => {
        /// A member that the hub reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field {
            $($(#[$doc])* $name,)*
        }

        impl Field {
            pub(super) fn find(section: Section, key: &[u8]) -> Option<Self> {
                match section {
                    Section::Other => None,
                    section => {
                        $(if section == Section::$section && key == $key.as_bytes() {
                            return Some(Self::$name);
                        })*
                        None
                    }
                }
            }
        }

        const COUNT: usize = [$(Field::$name,)*].len();
    };
}

fields! {
    /// `jsonrpc`.
    JsonRpc = Message "jsonrpc",
    /// `id`.
    Id = Message "id",
    /// `method`.
    Method = Message "method",
    /// `params`.
    Params = Message "params",
    /// `result`.
    Result = Message "result",
    /// `error`.
    Error = Message "error",
    /// `name` of the body.
    Name = Body "name",
    /// `uri` of the body.
    Uri = Body "uri",
    /// `cursor` of the body.
    Cursor = Body "cursor",
    /// `nextCursor` of the body.
    NextCursor = Body "nextCursor",
    /// `arguments` of the body.
    Arguments = Body "arguments",
    /// `_meta` of the body.
    Meta = Body "_meta",
    /// `ref` of the body.
    Ref = Body "ref",
    /// `requestId` of a cancellation.
    RequestId = Body "requestId",
    /// `progressToken` of a progress notification.
    ProgressToken = Body "progressToken",
    /// `isError` of a result.
    IsError = Body "isError",
    /// `mode` of the body.
    Mode = Body "mode",
    /// `inputRequests` of a result.
    InputRequests = Body "inputRequests",
    /// `supportedVersions` of a result.
    SupportedVersions = Body "supportedVersions",
    /// `task` of the body.
    Task = Body "task",
    /// `taskId` of the body.
    TaskId = Body "taskId",
    /// `level` of the body.
    Level = Body "level",
    /// `protocolVersion` of a handshake.
    ProtocolVersion = Body "protocolVersion",
    /// `capabilities` of a handshake.
    Capabilities = Body "capabilities",
    /// `clientInfo` of a handshake.
    ClientInfo = Body "clientInfo",
    /// `serverInfo` of a handshake.
    ServerInfo = Body "serverInfo",
    /// `instructions` of a handshake.
    Instructions = Body "instructions",
    /// `notifications` of a listen: the filter.
    Notifications = Body "notifications",
    /// `inputResponses` of a request's next try.
    InputResponses = Body "inputResponses",
    /// `requestState` of a request's next try.
    RequestState = Body "requestState",
    /// `resultType` of a result.
    ResultType = Body "resultType",
    /// `ttlMs` of a result.
    TtlMs = Body "ttlMs",
    /// `cacheScope` of a result.
    CacheScope = Body "cacheScope",
    /// `code` of an error.
    Code = Body "code",
    /// `message` of an error.
    ErrorMessage = Body "message",
    /// `tools` of a list.
    Tools = Body "tools",
    /// `prompts` of a list.
    Prompts = Body "prompts",
    /// `resources` of a list.
    Resources = Body "resources",
    /// `resourceTemplates` of a list.
    Templates = Body "resourceTemplates",
    /// `_meta.progressToken`.
    MetaProgressToken = Meta "progressToken",
    /// `_meta["io.modelcontextprotocol/protocolVersion"]`.
    MetaVersion = Meta "io.modelcontextprotocol/protocolVersion",
    /// `_meta["io.modelcontextprotocol/clientCapabilities"]`.
    MetaCapabilities = Meta "io.modelcontextprotocol/clientCapabilities",
    /// `_meta["io.modelcontextprotocol/logLevel"]`.
    MetaLogLevel = Meta "io.modelcontextprotocol/logLevel",
    /// `_meta["io.modelcontextprotocol/serverInfo"]`.
    MetaServerInfo = Meta "io.modelcontextprotocol/serverInfo",
    /// `_meta["mcp-orch/idempotency-key"]`.
    MetaIdempotencyKey = Meta "mcp-orch/idempotency-key",
    /// `_meta["mcp-orch/input-key"]`: the name of a question.
    MetaInputKey = Meta "mcp-orch/input-key",
    /// `ref.type`.
    RefType = Reference "type",
    /// `ref.name`.
    RefName = Reference "name",
    /// `ref.uri`.
    RefUri = Reference "uri",
}

impl Field {
    /// The section of the object that is this member's value.
    pub(super) fn opens(self) -> Section {
        if matches!(self, Self::Params | Self::Result | Self::Error) {
            Section::Body
        } else if self == Self::Meta {
            Section::Meta
        } else if self == Self::Ref {
            Section::Reference
        } else {
            Section::Other
        }
    }
}

/// Where each [`Field`] of a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields([Span; COUNT]);

impl Default for Fields {
    fn default() -> Self {
        Self([Span::default(); COUNT])
    }
}

impl Fields {
    /// The value's span, or `None` when the member is absent.
    pub fn span(&self, field: Field) -> Option<Span> {
        // No value is empty, so the empty span can mean absence.
        self.0.get(field as usize).copied().filter(|span| span.end > span.start)
    }

    pub(super) fn set(&mut self, field: Field, span: Span) {
        if let Some(slot) = self.0.get_mut(field as usize) {
            *slot = span;
        }
    }
}
