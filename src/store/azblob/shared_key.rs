//! Signing a request with the account's key (SharedKey). Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::sign_in::AccountKey;
use super::wire::Request;

/// The value of the `Authorization` header. `path` is the whole path of the URL, and `date` what stands in
/// `x-ms-date`, which is not among the request's headers yet.
pub(super) fn authorization(
    request: &Request,
    (account, path): (&str, &str),
    date: &str,
    key: &AccountKey,
) -> String {
    let text = to_be_signed(request, (account, path), date);
    // Every length of key is one for HMAC.
    let signature = Hmac::<Sha256>::new_from_slice(&key.0).map(|mut mac| {
        mac.update(text.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    });
    format!("SharedKey {account}:{}", signature.unwrap_or_default())
}

fn to_be_signed(request: &Request, (account, path): (&str, &str), date: &str) -> String {
    let header = |name: &str| request.headers.get(name).map_or("", String::as_str);
    // Encoding, language, length (empty for none), MD5, type, date (in x-ms-date), and the conditions.
    let mut text = format!(
        "{}\n\n\n\n\n\n\n\n{}\n{}\n\n\n",
        request.method,
        header("if-match"),
        header("if-none-match"),
    );
    let mut headers = request.headers.clone();
    headers.insert("x-ms-date".to_owned(), date.to_owned());
    for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-ms-")) {
        text.push_str(&format!("{name}:{}\n", value.trim()));
    }
    text.push_str(&format!("/{account}{path}"));
    for (name, value) in &request.query {
        text.push_str(&format!("\n{name}:{value}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_has_every_line_of_the_service() {
        let request = Request::acquire("a~2F", "id", 15, "\"0x1\"");
        let text = to_be_signed(&request, ("ops", "/leases/a~2F"), "DATE");
        assert_eq!(
            text,
            "PUT\n\n\n\n\n\n\n\n\"0x1\"\n\n\n\nx-ms-date:DATE\nx-ms-lease-action:acquire\n\
             x-ms-lease-duration:15\nx-ms-proposed-lease-id:id\nx-ms-version:2021-12-02\n\
             /ops/leases/a~2F\ncomp:lease"
        );
        let request = Request::list("p", "m");
        let text = to_be_signed(&request, ("ops", "/leases"), "DATE");
        assert!(
            text.ends_with(
                "/ops/leases\ncomp:list\ninclude:metadata\nmarker:m\nprefix:p\nrestype:container"
            ),
            "{text}"
        );
    }
}
