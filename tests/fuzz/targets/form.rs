//! Bodies as forms: any bytes are read or refused, and what a browser writes is read as it was typed.

#![no_main]

#[path = "../../../host/src/http/fields.rs"]
#[allow(dead_code, reason = "each target uses a part of it")]
mod fields;
mod typed;

use libfuzzer_sys::fuzz_target;
use url::form_urlencoded::Serializer;

fuzz_target!(|body: &[u8]| {
    match fields::read_fields::<typed::Fields>(body) {
        // What was read holds nothing that was replaced because it could not be: a form does not at all, and JSON
        // that is not UTF-8 is refused.
        Ok(read) if !body.trim_ascii_start().starts_with(b"{") => {
            assert!(read.texts().iter().flatten().all(|text| !text.contains('\u{fffd}')));
        }
        Ok(_) => {}
        Err(refused) => typed::assert_quotes_nothing(&refused.to_string()),
    }
    let Some(typed) = typed::Typed::from_bytes(body) else { return };
    if [typed.pin, typed.password].iter().any(|text| text.contains('\u{fffd}')) {
        return;
    }
    let form = Serializer::new(String::new())
        .append_pair("pin", typed.pin)
        .append_pair("password", typed.password)
        .append_pair("confirm_password", typed.password)
        .finish();
    typed.assert_read(&fields::read_fields(form.as_bytes()).unwrap());
});
