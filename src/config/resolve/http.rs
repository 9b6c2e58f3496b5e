//! `[http]`: where does the endpoint listen, and whom does it answer?

use std::net::SocketAddr;

use super::one_of;
use crate::config::plan::{HttpPlan, TlsPlan, Token};
use crate::config::problem::{At, Result};
use crate::config::settings::{HttpSettings, TlsSettings};

/// Shorter tokens can be guessed.
const TOKEN_CHARACTERS_MIN: usize = 16;

/// `None` where no address can be told, of which note is taken.
pub(super) fn plan(settings: &HttpSettings, at: &At) -> Option<HttpPlan> {
    let given = settings.token.as_deref().map(|it| token(it, &at.under("token")));
    let at_for = at.under("token_for");
    let word = settings.token_for.as_deref().unwrap_or("status");
    let token_for_all = at.take(one_of(word, &[("status", false), ("all", true)], &at_for));
    let token_for_all = token_for_all.unwrap_or_default();
    if token_for_all && given.is_none() {
        at.note(at_for.wrong(word, "there is no token: set `token` in [http], too"));
    }
    let tls = settings.tls.as_ref().map(|it| tls(it, &at.under("tls")));
    let token = given.and_then(|token| at.take(token));
    let address = at.take(address(settings, at))?;
    Some(HttpPlan { address, token, token_for_all, tls })
}

fn address(settings: &HttpSettings, at: &At) -> Result<SocketAddr> {
    let at_address = at.under("address");
    let Some(text) = &settings.address else {
        return Err(at_address.problem("there is none: set it, e.g. to 127.0.0.1:9187"));
    };
    // A name is not looked up: what it stands for may change, and be reached from elsewhere.
    let plain = text.replacen("localhost:", "127.0.0.1:", 1);
    let remedy = "give an IP address and a port, e.g. 127.0.0.1:9187 or [::1]:9187";
    let address: SocketAddr = plain.parse().map_err(|_| at_address.wrong(text, remedy))?;
    if !address.ip().is_loopback() && !settings.allow_remote {
        let remedy = "other machines reach this address: set `allow_remote = true` in [http] if they \
                      may, or listen on 127.0.0.1";
        return Err(at_address.wrong(text, remedy));
    }
    Ok(address)
}

/// The value itself is not shown.
fn token(text: &str, at: &At) -> Result<Token> {
    let shown = |c: char| c.is_ascii_graphic();
    if text.len() < TOKEN_CHARACTERS_MIN || !text.chars().all(shown) {
        return Err(at.problem(format!(
            "give {TOKEN_CHARACTERS_MIN} characters at least, without spaces, e.g. what \
             `openssl rand -hex 32` prints"
        )));
    }
    Ok(Token(text.to_owned()))
}

fn tls(settings: &TlsSettings, at: &At) -> TlsPlan {
    let file = |path: &str, key: &str| {
        if path.trim().is_empty() {
            let at = at.under(key);
            at.note(at.wrong(path, "give the path of a PEM file"));
        }
        path.into()
    };
    TlsPlan {
        certificate: file(&settings.certificate, "certificate"),
        key: file(&settings.key, "key"),
    }
}
