//! Bodies as JSON: any bytes are read or refused, and what a program writes is read as it was meant, by both readers.

#![no_main]

#[path = "../../../host/src/http/fields.rs"]
#[allow(dead_code, reason = "each target uses a part of it")]
mod fields;
mod typed;

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::json;

fuzz_target!(|body: &[u8]| {
    match fields::read_json::<typed::Fields>(body) {
        // Nothing but one object, of UTF-8 and to its end, is read.
        Ok(_) if body.trim_ascii().is_empty() => {}
        Ok(_) => assert!(serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(body).is_ok()),
        Err(refused) => typed::assert_quotes_nothing(&refused.to_string()),
    }
    let Some(typed) = typed::Typed::from_bytes(body) else { return };
    let json = json!({ "pin": typed.pin, "password": typed.password, "confirm_password": typed.password });
    typed.assert_read(&fields::read_json(json.to_string().as_bytes()).unwrap());
    typed.assert_read(&fields::read_fields(json.to_string().as_bytes()).unwrap());
});
