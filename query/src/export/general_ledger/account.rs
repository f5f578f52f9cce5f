//! What an account is to an accountant: its code, its class, whose it is.
//!
//! Invariants: the same account has the same code and name in every export;
//! two accounts never have the same name.

use std::fmt::Write as _;

/// The class of an account, as the first part of its name.
const ASSETS: &str = "Assets";
const LIABILITIES: &str = "Liabilities";
const INCOME: &str = "Income";
const EXPENSES: &str = "Expenses";
const EQUITY: &str = "Equity";

/// A kind of account.
struct Kind {
    /// What it begins with, up to the party.
    role: &'static str,
    /// What it ends with.
    name: &'static str,
    /// Whether a party is between them.
    has_party: bool,
    code: &'static str,
    class: &'static str,
    title: &'static str,
}

const fn of_party(
    role: &'static str,
    name: &'static str,
    code: &'static str,
    class: &'static str,
    title: &'static str,
) -> Kind {
    Kind { role, name, has_party: true, code, class, title }
}

const fn own(
    role: &'static str,
    name: &'static str,
    code: &'static str,
    class: &'static str,
    title: &'static str,
) -> Kind {
    Kind { role, name, has_party: false, code, class, title }
}

const KINDS: [Kind; 18] = [
    own("treasury", "bank", "1000", ASSETS, "Bank"),
    own("treasury", "exchange", "1100", ASSETS, "Exchange"),
    of_party("customer", "receivable", "1200", ASSETS, "Receivable"),
    of_party("customer", "disputed", "1250", ASSETS, "Disputed"),
    of_party("provider", "payable", "2000", LIABILITIES, "Payable"),
    of_party("model_owner", "payable", "2010", LIABILITIES, "Model-owner"),
    of_party("asset_pool", "payable", "2020", LIABILITIES, "Asset-pool"),
    of_party("customer", "credit", "2100", LIABILITIES, "Credit"),
    of_party("customer", "prepaid", "2150", LIABILITIES, "Prepaid"),
    own("platform", "tax", "2200", LIABILITIES, "Tax"),
    own("platform", "revenue", "4000", INCOME, "Revenue"),
    own("platform", "breakage", "4100", INCOME, "Breakage"),
    own("platform", "exchange", "4200", INCOME, "Exchange-gains"),
    own("platform", "refunds", "4900", INCOME, "Refunds"),
    own("platform", "promotions", "6100", EXPENSES, "Promotions"),
    own("platform", "bad_debt", "6200", EXPENSES, "Bad-debt"),
    own("platform", "rounding", "6900", EXPENSES, "Rounding"),
    own("export", "rounding", "6990", EXPENSES, "Export-rounding"),
];

/// An account as accountants know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    /// A number for all accounts of its kind.
    pub code: &'static str,
    /// Whose it is.
    pub party: Option<String>,
    /// Its name in plain-text accounting, for example `Assets:Receivable:P-acme`.
    pub name: String,
}

impl Account {
    /// Of an account of the journal.
    pub fn of(account: &str) -> Account {
        for kind in &KINDS {
            let rest = account.strip_prefix(kind.role).and_then(|rest| rest.strip_suffix(kind.name));
            let Some(between) = rest else { continue };
            if !kind.has_party && between == "/" {
                return Account { code: kind.code, party: None, name: format!("{}:{}", kind.class, kind.title) };
            }
            let party = between.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
            if let Some(party) = party.filter(|_| kind.has_party) {
                let name = format!("{}:{}:P-{}", kind.class, kind.title, spelled(party));
                return Account { code: kind.code, party: Some(party.to_owned()), name };
            }
        }
        // One that this export has no class for yet is still there, under its own name.
        Account { code: "3900", party: None, name: format!("{EQUITY}:Unclassified:P-{}", spelled(account)) }
    }
}

/// A text in the letters that every program takes: what is none of `A-Z`,
/// `a-z`, `0-9` and `-` is written as `-u` and its number, so that different
/// texts stay different.
fn spelled(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let is_mark = character == '-' && rest.peek() == Some(&'u');
        if (character.is_ascii_alphanumeric() || character == '-') && !is_mark {
            spelled.push(character);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(spelled, "-u{:x}-", u32::from(character));
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_codes_and_names() {
        let cases = [
            ("customer/acme-1/receivable", "1200", Some("acme-1"), "Assets:Receivable:P-acme-1"),
            ("customer/a/b/credit", "2100", Some("a/b"), "Liabilities:Credit:P-a-u2f-b"),
            ("customer/acme-1/disputed", "1250", Some("acme-1"), "Assets:Disputed:P-acme-1"),
            ("model_owner/a b/payable", "2010", Some("a b"), "Liabilities:Model-owner:P-a-u20-b"),
            ("asset_pool/a/payable", "2020", Some("a"), "Liabilities:Asset-pool:P-a"),
            ("customer/receivable", "3900", None, "Equity:Unclassified:P-customer-u2f-receivable"),
            ("platform/tax", "2200", None, "Liabilities:Tax"),
            ("platform/new", "3900", None, "Equity:Unclassified:P-platform-u2f-new"),
            ("export/rounding", "6990", None, "Expenses:Export-rounding"),
        ];
        for (account, code, party, name) in cases {
            let of = Account::of(account);
            assert_eq!((of.code, of.party.as_deref(), of.name.as_str()), (code, party, name), "{account}");
        }
    }

    #[test]
    fn different_texts_are_spelled_differently() {
        let texts = ["acme-us", "acme-u2d-us", "acme_us", "acme:us", "acmé", "acm-ue9-", "a b", "a  b", "-", "", "-u"];
        let mut spelled: Vec<String> = texts.iter().map(|text| super::spelled(text)).collect();
        assert!(spelled.iter().all(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')));
        spelled.sort();
        spelled.dedup();
        assert_eq!(spelled.len(), texts.len());
    }
}
