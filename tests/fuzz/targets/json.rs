//! Bodies as JSON: any bytes are read or refused, and what a program writes is read as it was meant, by both readers.

#![no_main]

#[path = "../../../host/src/http/bodies.rs"]
mod bodies;
#[path = "../../../host/src/http/fields.rs"]
#[allow(dead_code, reason = "each target uses a part of it")]
mod fields;
mod typed;

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

use bodies::{PutToken, RequestReset, SetPassword};
use typed::{Body, Typed};

/// Any bytes, for one of the operations.
fn read<T: Body>(body: &[u8]) {
    match fields::read_json::<T>(body) {
        // Nothing but one object, of UTF-8 and to its end, is read.
        Ok(_) if body.trim_ascii().is_empty() => {}
        Ok(_) => assert!(serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(body).is_ok()),
        Err(refused) => typed::assert_quotes_nothing(&refused.to_string()),
    }
}

/// What a program sends to one of the operations.
fn read_back<T: Body>(typed: &Typed<'_>) {
    let json = serde_json::to_vec(&BTreeMap::from_iter(T::typed(typed))).unwrap();
    fields::read_json::<T>(&json).unwrap().assert_read(typed);
    fields::read_fields::<T>(&json).unwrap().assert_read(typed);
}

fuzz_target!(|body: &[u8]| {
    read::<SetPassword>(body);
    read::<RequestReset>(body);
    read::<PutToken>(body);
    let Some(typed) = Typed::from_bytes(body) else { return };
    read_back::<SetPassword>(&typed);
    read_back::<RequestReset>(&typed);
    read_back::<PutToken>(&typed);
});
