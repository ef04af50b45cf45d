//! Bodies as forms: any bytes are read or refused, and what a browser writes is read as it was typed.

#![no_main]

#[path = "../../../host/src/http/bodies.rs"]
mod bodies;
#[path = "../../../host/src/http/fields.rs"]
#[allow(dead_code, reason = "each target uses a part of it")]
mod fields;
mod typed;

use libfuzzer_sys::fuzz_target;
use url::form_urlencoded::Serializer;

use bodies::{PutToken, RequestReset, SetPassword};
use typed::{Body, Typed};

/// Any bytes, for one of the operations.
fn read<T: Body>(body: &[u8]) {
    match fields::read_fields::<T>(body) {
        // What was read holds nothing that was replaced because it could not be: a form does not at all, and JSON
        // that is not UTF-8 is refused.
        Ok(read) if !body.trim_ascii_start().starts_with(b"{") => {
            assert!(read.texts().iter().all(|text| !text.contains('\u{fffd}')));
        }
        Ok(_) => {}
        Err(refused) => typed::assert_quotes_nothing(&refused.to_string()),
    }
}

/// What somebody typed into one of the forms.
fn read_back<T: Body>(typed: &Typed<'_>) {
    let form = Serializer::new(String::new()).extend_pairs(T::typed(typed)).finish();
    fields::read_fields::<T>(form.as_bytes()).unwrap().assert_read(typed);
}

fuzz_target!(|body: &[u8]| {
    read::<SetPassword>(body);
    read::<RequestReset>(body);
    read::<PutToken>(body);
    let Some(typed) = Typed::from_bytes(body) else { return };
    if [typed.pin, typed.words].iter().any(|text| text.contains('\u{fffd}')) {
        return;
    }
    read_back::<SetPassword>(&typed);
    read_back::<RequestReset>(&typed);
});
