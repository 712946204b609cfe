//! [`Web`]: single exchanges on the way that the connections to servers take, through the same guard.

use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Uri};
use orch_core::ports::BoxFuture;
use orch_core::ports::web::{Web, WebAnswer, WebRequest};
use tokio::time::timeout;

use crate::client::{Client, Outgoing};
use crate::frames::{self, Cut};
use crate::guard;
use crate::open::Way;

/// Reaches what servers may name: authorization servers, and documents.
pub struct HttpWeb {
    pub(crate) way: Way,
}

impl fmt::Debug for HttpWeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpWeb(..)")
    }
}

impl Web for HttpWeb {
    fn exchange(&self, request: WebRequest) -> BoxFuture<'_, Result<WebAnswer, String>> {
        Box::pin(async move {
            let patience = self.way.limits.login_exchange;
            let (_, to) = guard::read(&request.url).map_err(|refusal| refusal.to_string())?;
            let late = || {
                let seconds = patience.as_secs_f32();
                format!("{to} did not answer within {seconds} s (limit login_exchange)")
            };
            timeout(patience, self.once(request)).await.map_err(|_| late())?
        })
    }
}

impl HttpWeb {
    async fn once(&self, request: WebRequest) -> Result<WebAnswer, String> {
        let (url, to) = guard::read(&request.url).map_err(|refusal| refusal.to_string())?;
        let uri: Uri = url.as_str().parse().map_err(|_| "the URL is not usable in HTTP".to_owned())?;
        let client =
            Client::new(self.way.connector(to.clone()), HeaderMap::new(), None, self.way.tasks.clone());
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(value) = &request.authorization {
            let unfit = |_| "a credential holds a character that no header can have".to_owned();
            let mut value = HeaderValue::from_str(value).map_err(unfit)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let (method, body) = match request.body {
            Some((media, body)) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
                (Method::POST, Outgoing::from(body))
            }
            None => (Method::GET, Outgoing::default()),
        };
        let response = client.send(method, uri, headers, body).await;
        let response = response.map_err(|why| why.words().to_owned())?;
        let status = response.status();
        if status.is_redirection() {
            return Err(crate::head::words(&to, &response));
        }
        let limit = self.way.limits.login_answer_bytes;
        let body: Bytes = frames::whole(response.into_body(), limit).await.map_err(|cut| match cut {
            Cut::TooLong => {
                format!("{to} gave an answer of more than {limit} bytes (limit login_answer_bytes)")
            }
            Cut::Broken | Cut::Ended => format!("{to} closed the connection in its answer"),
        })?;
        Ok(WebAnswer { status: status.as_u16(), body })
    }
}
