//! The frozen examples of every event: what was once taken must be taken the
//! same way for ever, byte for byte and row for row.
//!
//! `schemas/examples/<event>/v<N>.json` holds input as it comes in at the edge
//! and everything that follows from it. A version is never edited; what
//! changes becomes the next version beside it.

mod control;
mod correction;
mod dispute;
mod money;
mod usage;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

/// Each version with its BLAKE3 hash, so that no edit goes unnoticed.
const FROZEN: [(&str, &str); 24] = [
    ("api_call/v1.json", "f2aafe8a344106f11aea6209489fd292b59c5b746409ec1a471dabcb1fba400e"),
    ("budget/v1.json", "09942dfbf89f7c08b394f2e0844d5b6860797cd0fb3fbbae3cc10c7f7746506a"),
    ("closed/v1.json", "914592ffa49120431086f977227c6d5789d3eafb6f05942de515008ecd04143c"),
    ("closed/v2.json", "78d8e4b8faeeef97279eb9713714e43df351585307d57fa2484f17302639732a"),
    ("closing/v1.json", "c1409338cfde3b9f4b8105a42b8b3b0dcb4d937a9e77856a3cb90610caf6ec25"),
    ("commitment/v1.json", "0f877d4b10cb1cc2e01cc3eb5cd14b75131845513982eb10fb06e7ad29f71ca6"),
    ("correction/v1.json", "4b4c17dee14ae25ebbd7ed4ac1ae3ff8fda26eaa5b6b751d3d143b4b293e7dc0"),
    ("credit/v1.json", "76d49fb181229c667dcde87f62ff175f0d6bde9944d22c93013cb817c0f3b491"),
    ("currency/v1.json", "c0b66666b78a7d35912d23c694c3689e8284add9ce4c131c169f879bb9658153"),
    ("dispute/v1.json", "a41b48ca68948dcdf799fca7e49c38097b9c7acbcc770c7d696105457c37cf20"),
    ("exchange/v1.json", "a15f38181b2c3f427f9e2365952aaf1459e72aa6b5725a6a9b156afdb73e7cd9"),
    ("gpu_usage/v1.json", "bc4439ac54bb03d577c586c394a1fc1356f4ed19530545e983c7311e24f370d0"),
    ("grant/v1.json", "6a26ba9ba42eb5eb5a8f21dbfa7b46c05196b6da5f330016ea820675249f1f23"),
    ("heartbeat/v1.json", "20e91d44615d49e58c0e0f5d5ea71e9094791672edc71056af8212376d22cf40"),
    ("payment/v1.json", "a257eedbbbef58578671cde42f7ddcf3730112c7335b88c6c94ff4f53f4b4e40"),
    ("price_book/v1.json", "d61a9b3dbe9fa25b90656fd229a7d6afcf3281f80f533013ca6d674e11940847"),
    ("price_book/v2.json", "90027c2a04f50b2c030193dc9fcd49c83e8f4feb2ea8991afe877db02a0d512c"),
    ("price_book/v3.json", "e9cf4b054fa2e4822a520bc874c6b90bcb0ccc4bebad93a24e90b05b8afe83d5"),
    ("price_book/v4.json", "0f647ffece70d1e5700bcd572ca2e04284c2a1e0d6d1a06c11e06277e2c5e109"),
    ("resolution/v1.json", "0bcc98d74211c241221ec4e5148e66f35ce0fdf1fbfc97913c89f07084d3d78f"),
    ("settle/v1.json", "e927fc0680146a0884fc0b8cd76f48d304077761158558322f5a808b55d8a200"),
    ("terms/v1.json", "566f40c4955568a7ca3bfe3d0c917366533a792eaaca1795713555bd3c615fe3"),
    ("waive/v1.json", "0a1f3bd30388cb5cc9e46c8099e1743b60ce2181f376846f258e71dc0a0bffe4"),
    ("write_off/v1.json", "3e3c9b936e466e0228db4734319f6bb87da60f653ba29b704513372b05ca0595"),
];

/// The files by their names, for example `api_call/v1.json`.
fn files() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/examples");
    let mut files = BTreeMap::new();
    for event in std::fs::read_dir(&folder).expect("the folder of examples can be read") {
        let event = event.expect("the folder of examples can be read").path();
        if !event.is_dir() {
            continue;
        }
        for version in std::fs::read_dir(&event).expect("a folder of examples can be read") {
            let version = version.expect("a folder of examples can be read").path();
            let name = version.strip_prefix(&folder).expect("it lies within").to_string_lossy().into_owned();
            files.insert(name, std::fs::read(&version).expect("an example can be read"));
        }
    }
    files
}

#[test]
fn no_version_is_edited_missing_or_forgotten() {
    let found: Vec<(String, String)> =
        files().into_iter().map(|(name, bytes)| (name, blake3::hash(&bytes).to_hex().to_string())).collect();
    let frozen: Vec<(String, String)> = FROZEN.map(|(name, hash)| (name.to_owned(), hash.to_owned())).into();
    assert_eq!(found, frozen, "a new version is added to FROZEN; an old one must be as it was");
}

#[test]
fn every_example_gives_what_it_always_gave() {
    let mut wrong = Vec::new();
    for (name, bytes) in files() {
        let file: Value = serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let event = name.split('/').next().unwrap_or_default();
        let examples = file["examples"].as_array().unwrap_or_else(|| panic!("{name} has no examples"));
        assert!(examples.len() >= 3, "{name} has only {} examples", examples.len());
        for example in examples {
            let found = match event {
                "price_book" | "settle" | "waive" | "closing" | "closed" | "terms" | "payment" | "credit"
                | "budget" | "correction" | "commitment" | "grant" | "write_off" | "exchange" | "dispute"
                | "resolution" | "currency" => control::follow(event, &example["input"]),
                _ => usage::follow(&example["input"]),
            };
            if found != example["expected"] {
                let found = json!({ "file": name, "name": example["name"], "expected": found });
                wrong.push(serde_json::to_string(&found).expect("JSON"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} examples give something else:\n{}", wrong.len(), wrong.join("\n"));
}
