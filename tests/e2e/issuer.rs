//! A server that lets in who has logged in, and the authorization server that it trusts, at one address. It is as strict
//! as the standards ask for: codes and refresh tokens are good once, and for whoever has asked for them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

type Answer = Response<Full<Bytes>>;
type Form = BTreeMap<String, String>;

/// Serves until it goes out of scope.
pub(crate) struct Issuer {
    pub(crate) port: u16,
    desk: Arc<Desk>,
    _serving: JoinSet<()>,
}

struct Desk {
    origin: String,
    /// Who is said to give tokens.
    issuer: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    count: u32,
    /// By code: what was asked for.
    codes: BTreeMap<String, Form>,
    /// By token: its scopes.
    access: BTreeMap<String, String>,
    refresh: BTreeMap<String, String>,
    grants: Vec<String>,
    scopes: Vec<String>,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        Self::trusting(None).await
    }

    /// One whose server names that issuer.
    pub(crate) async fn trusting(issuer: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let origin = format!("http://127.0.0.1:{port}");
        let issuer = issuer.map_or_else(|| origin.clone(), ToOwned::to_owned);
        let desk = Arc::new(Desk { origin, issuer, state: Mutex::default() });
        let served = Arc::clone(&desk);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let desk = Arc::clone(&served);
                let serve = service_fn(move |request| answer(request, Arc::clone(&desk)));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve);
                connections.spawn(async move { drop(connection.await) });
            }
        });
        Self { port, desk, _serving: serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/mcp", self.desk.origin)
    }

    /// Tokens are no good any more; they can be renewed.
    pub(crate) fn expire(&self) {
        self.desk.lock().access.clear();
    }

    /// Nothing that was given is good any more.
    pub(crate) fn revoke(&self) {
        self.expire();
        self.desk.lock().refresh.clear();
    }

    /// The grants that tokens were asked for with.
    pub(crate) fn grants(&self) -> Vec<String> {
        self.desk.lock().grants.clone()
    }

    /// The scopes that logins were begun with.
    pub(crate) fn scopes(&self) -> Vec<String> {
        self.desk.lock().scopes.clone()
    }

    /// Every token that is good.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let state = self.desk.lock();
        state.access.keys().chain(state.refresh.keys()).cloned().collect()
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the state")
    }

    fn metadata(&self, path: &str) -> Option<Value> {
        let origin = &self.origin;
        Some(match path {
            "/.well-known/oauth-protected-resource/mcp" => {
                json!({ "resource": format!("{origin}/mcp"), "authorization_servers": [self.issuer] })
            }
            "/.well-known/oauth-authorization-server" => json!({
                "issuer": origin,
                "authorization_endpoint": format!("{origin}/authorize"),
                "token_endpoint": format!("{origin}/token"),
                "registration_endpoint": format!("{origin}/register"),
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
                "authorization_response_iss_parameter_supported": true,
            }),
            _ => return None,
        })
    }

    /// Somebody logs in, who says yes to everything.
    fn authorize(&self, form: Form) -> Answer {
        let good = form.get("response_type").is_some_and(|it| it == "code")
            && form.get("code_challenge_method").is_some_and(|it| it == "S256")
            && form.get("client_id").is_some_and(|it| it == "hub")
            && form.get("resource").is_some_and(|it| *it == format!("{}/mcp", self.origin));
        let mut state = self.lock();
        state.scopes.push(form.get("scope").cloned().unwrap_or_default());
        let code = state.mint("code");
        let mut location = url::Url::parse(&form["redirect_uri"]).expect("a redirect");
        let result = if good { ("code", code.as_str()) } else { ("error", "invalid_request") };
        location.query_pairs_mut().extend_pairs([result, ("state", &form["state"]), ("iss", &self.origin)]);
        state.codes.insert(code.clone(), form);
        let answer = Response::builder().status(302).header("location", location.as_str());
        answer.body(Full::default()).expect("an answer")
    }

    fn token(&self, form: &Form) -> Answer {
        let said = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let mut state = self.lock();
        state.grants.push(said("grant_type").to_owned());
        let scope = match said("grant_type") {
            "authorization_code" => state.codes.remove(said("code")).and_then(|asked| {
                let verified = URL_SAFE_NO_PAD.encode(Sha256::digest(said("code_verifier")));
                let same =
                    ["client_id", "redirect_uri", "resource"].iter().all(|name| asked[*name] == said(name));
                (same && asked["code_challenge"] == verified)
                    .then(|| asked.get("scope").cloned().unwrap_or_default())
            }),
            "refresh_token" => {
                state.refresh.remove(said("refresh_token")).filter(|_| said("client_id") == "hub")
            }
            _ => None,
        };
        let Some(scope) = scope else { return json_of(400, &json!({ "error": "invalid_grant" })) };
        let (access, refresh) = (state.mint("access"), state.mint("refresh"));
        state.access.insert(access.clone(), scope.clone());
        state.refresh.insert(refresh.clone(), scope);
        let tokens = json!({ "access_token": access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh });
        json_of(200, &tokens)
    }

    fn mcp(&self, bearer: Option<&str>, message: &Value) -> Answer {
        let scope = bearer.and_then(|token| self.lock().access.get(token).cloned());
        let Some(scope) = scope else { return self.challenge(401, "scope=\"read\"") };
        let id = &message["id"];
        let result = match message["method"].as_str().unwrap_or_default() {
            "initialize" => json!({
                "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
                "serverInfo": { "name": "guarded", "version": "1" }
            }),
            "tools/list" => {
                let tool = |name: &str| json!({ "name": name, "inputSchema": { "type": "object" } });
                json!({ "tools": [tool("read"), tool("write")] })
            }
            "tools/call" => {
                let name = message["params"]["name"].as_str().expect("a name");
                if !scope.split(' ').any(|scope| scope == name) {
                    let challenge = format!("error=\"insufficient_scope\", scope=\"{name}\"");
                    return self.challenge(403, &challenge);
                }
                json!({ "content": [{ "type": "text", "text": format!("{name}: done") }] })
            }
            _ if id.is_null() => {
                return Response::builder().status(202).body(Full::default()).expect("an answer");
            }
            _ => {
                let error = json!({ "code": -32601, "message": "Method not found" });
                return json_of(200, &json!({ "jsonrpc": "2.0", "id": id, "error": error }));
            }
        };
        json_of(200, &json!({ "jsonrpc": "2.0", "id": id, "result": result }))
    }

    fn challenge(&self, status: u16, rest: &str) -> Answer {
        let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", self.origin);
        let challenge = format!("Bearer resource_metadata=\"{metadata}\", {rest}");
        let answer = Response::builder().status(status).header("www-authenticate", challenge);
        answer.body(Full::default()).expect("an answer")
    }
}

impl State {
    fn mint(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("s3cret-{kind}-{}", self.count)
    }
}

async fn answer(request: Request<Incoming>, desk: Arc<Desk>) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let form = |bytes: &[u8]| url::form_urlencoded::parse(bytes).into_owned().collect::<Form>();
    let bearer =
        head.headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    Ok(match (head.method.as_str(), head.uri.path()) {
        ("POST", "/mcp") => desk.mcp(bearer, &serde_json::from_slice(&body).expect("a message")),
        ("GET", "/authorize") => desk.authorize(form(head.uri.query().unwrap_or_default().as_bytes())),
        ("POST", "/register") => json_of(201, &json!({ "client_id": "hub" })),
        ("POST", "/token") => desk.token(&form(&body)),
        ("GET", path) => match desk.metadata(path) {
            Some(metadata) => json_of(200, &metadata),
            None => Response::builder().status(404).body(Full::default()).expect("an answer"),
        },
        _ => Response::builder().status(405).body(Full::default()).expect("an answer"),
    })
}

fn json_of(status: u16, body: &Value) -> Answer {
    let answer = Response::builder().status(status).header("content-type", "application/json");
    answer.body(Full::new(Bytes::from(body.to_string()))).expect("an answer")
}
