//! The answer to a GET request.

use super::client::{self, Connection};
use super::{Address, Oracle, Place, text_of};
use crate::model::State;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;

/// Reads what a server answers, over HTTP/1.1 without encryption.
#[derive(Debug)]
pub struct HttpOracle {
    /// What it is called.
    pub name: String,
    /// What is asked for.
    pub url: String,
}

/// The most that a body may have.
const MOST: usize = 16 << 20;

impl Oracle for HttpOracle {
    fn name(&self) -> &str {
        &self.name
    }

    fn server(&self) -> Option<Address> {
        parse(&self.url).ok().map(|(_, address)| address)
    }

    fn read(&self, place: &mut dyn Place) -> Result<State, String> {
        let (uri, address) = parse(&self.url)?;
        client::ask(place, &address, |connection| get(connection, uri)).map(State::of)
    }
}

fn parse(url: &str) -> Result<(Uri, Address), String> {
    let wrong = |why: &str| format!("the url {url} cannot be asked: {why}");
    let uri: Uri = url.parse().map_err(|error: hyper::http::uri::InvalidUri| wrong(&error.to_string()))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err(wrong(
                "encrypted connections are not read; use http://, or a state of the kind `command` with curl",
            ));
        }
        _ => return Err(wrong("it does not begin with http://")),
    }
    let host = uri.host().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return Err(wrong("it names no host"));
    }
    let address = Address::Tcp { host: host.to_owned(), port: uri.port_u16().unwrap_or(80) };
    Ok((uri, address))
}

async fn get(connection: Connection, uri: Uri) -> Result<Vec<(String, String)>, String> {
    let failed = |error: hyper::Error| format!("no answer of HTTP: {error}");
    let host = uri.authority().map(|authority| authority.host().to_owned()).unwrap_or_default();
    let host = uri.port_u16().map_or(host.clone(), |port| format!("{host}:{port}"));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header("host", host)
        .header("user-agent", "quietus")
        .header("accept", "*/*")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let (mut sender, driven) = hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.map_err(failed)?;
    let _driven = client::Driven::new(driven);
    let answer = sender.send_request(request).await.map_err(failed)?;
    let status = answer.status().as_u16().to_string();
    let body = Limited::new(answer.into_body(), MOST).collect().await;
    let body = body.map_err(|error| format!("the body cannot be read: {error}"))?.to_bytes();
    Ok(vec![("status".to_owned(), status), ("body".to_owned(), text_of(&body))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_addresses() {
        let address = |url: &str| parse(url).map(|(_, address)| address.to_string());
        assert_eq!(address("http://localhost/a?b=c"), Ok("localhost:80".to_owned()));
        assert_eq!(address("http://[::1]:8080/"), Ok("[::1]:8080".to_owned()));
        for wrong in ["https://localhost/", "localhost", "/a", "http:///a", "ftp://a/"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
