//! Schemas and events that would cost too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Keyword, ValidationError};
use proptest::prelude::*;
use serde_json::{Value, json};
use webhooks_domain::catalogue::{
    Finding, MAX_CHECK_DEPTH, MAX_CHECK_STEPS, MAX_REPORT_BYTES, NotChecked, Schema,
};
use webhooks_domain::ports::{CompileError, CompiledSchema, SchemaCompiler};

use crate::cost::{ERROR_BYTES, count, count_report};
use crate::plan::{MAX_COMPILED_BYTES, Plan, memory};
use crate::{JsonSchema, JsonSchemas, options};

/// A keyword that every value satisfies, and that counts how often it is asked.
struct Counter(Arc<AtomicU64>);

impl<'i> Keyword<'i> for Counter {
    fn validate(&self, _: &'i Value) -> Result<(), ValidationError<'i>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn is_valid(&self, _: &'i Value) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        true
    }
}

/// The same schema with the counting keyword in every object.
fn counting(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let members = members.iter();
            let mut counting: serde_json::Map<_, _> = members
                .map(|(name, value)| (name.clone(), self::counting(value)))
                .collect();
            counting.insert("x-count".to_owned(), json!(true));
            Value::Object(counting)
        }
        Value::Array(items) => items.iter().map(counting).collect(),
        other => other.clone(),
    }
}

/// The number of subschemas that are asked for the verdict, and for the report.
fn asked(schema: &Value, detail: &Value) -> [u64; 2] {
    let counter = Arc::new(AtomicU64::new(0));
    let shared = Arc::clone(&counter);
    let validator = options()
        .with_keyword("x-count", move |_, _, _| {
            Ok(Box::new(Counter(Arc::clone(&shared))))
        })
        .build(&counting(schema))
        .unwrap();
    let is_valid = validator.is_valid(detail);
    let for_verdict = counter.swap(0, Ordering::Relaxed);
    assert_eq!(validator.validate(detail).is_ok(), is_valid);
    [for_verdict, counter.load(Ordering::Relaxed)]
}

/// Both counts are at least what is asked. The count of the report may exceed its bound.
fn assert_counted(schema: &Value, detail: &Value) {
    let plan = Plan::of(schema).unwrap();
    let asked = asked(schema, detail);
    let verdict = count(&plan, detail).unwrap();
    assert!(asked[0] <= verdict, "{} of {verdict}", asked[0]);
    if let Some(report) = count_report(&plan, detail) {
        assert!(asked[1] <= report.steps, "{} of {}", asked[1], report.steps);
    }
}

/// The memory of an error with all errors inside, as they are counted.
fn held(error: &ValidationError) -> u64 {
    let inside: u64 = match error.kind() {
        ValidationErrorKind::AnyOf { context }
        | ValidationErrorKind::OneOfNotValid { context }
        | ValidationErrorKind::OneOfMultipleValid { context } => {
            context.iter().flatten().map(held_with_value).sum()
        }
        ValidationErrorKind::PropertyNames { error } => held_with_value(error),
        _ => 0,
    };
    let places = [error.instance_path(), error.evaluation_path()];
    let places: usize = places.iter().map(|place| place.as_str().len()).sum();
    inside + places as u64
}

fn held_with_value(error: &ValidationError) -> u64 {
    held(error) + ERROR_BYTES + memory(error.instance())
}

/// The memory of the errors that the report of a violation collects, without that of the first one.
fn collected(schema: &Value, detail: &Value) -> u64 {
    let validator = options().build(schema).unwrap();
    match validator.validate(detail).unwrap_err().kind() {
        ValidationErrorKind::AnyOf { context }
        | ValidationErrorKind::OneOfNotValid { context }
        | ValidationErrorKind::OneOfMultipleValid { context } => {
            context.iter().flatten().map(held_with_value).sum()
        }
        _ => 0,
    }
}

/// The variants of a union, each with its type and many required members.
fn union(variants: usize, names: usize) -> Value {
    let variant = |number: usize| {
        let required: Vec<_> = (0..names).map(|name| format!("m{number}_{name}")).collect();
        json!({"properties": {"kind": {"const": number}}, "required": required})
    };
    let variants: Vec<_> = (0..variants).map(variant).collect();
    json!({"anyOf": variants})
}

/// A detail with a text of this length.
fn large(bytes: usize) -> Value {
    json!({"kind": "none", "text": "x".repeat(bytes)})
}

#[test]
fn the_report_of_a_union_copies_the_detail_for_each_error_within_a_bound() {
    let schema = union(5, 15);
    let plan = Plan::of(&schema).unwrap();
    // Within the bound, it is reported at the place of the union.
    let small = large(20_000);
    let counted = count_report(&plan, &small).unwrap().bytes;
    let held = collected(&schema, &small);
    assert!(held > 75 * 20_000, "{held}");
    assert!(
        held <= counted && counted <= MAX_REPORT_BYTES,
        "{held} of {counted}"
    );
    let finding = compiled(&schema).unwrap().check(&small.to_string());
    let Err(Finding::Violation { path, rule }) = finding else {
        panic!("{finding:?}");
    };
    assert_eq!((path.as_str(), rule.as_str()), ("/detail", "/anyOf"));
    // Beyond, the verdict is the same, and nothing is copied.
    let detail = large(200_000);
    assert!(collected(&schema, &detail) > 75 * 200_000);
    assert_eq!(count_report(&plan, &detail), None);
    let compiled = compiled(&schema).unwrap();
    let finding = compiled.check(&detail.to_string());
    assert_eq!(finding, Err(Finding::ViolationSomewhere));
    let text = Finding::ViolationSomewhere.to_string();
    assert!(text.contains(&MAX_REPORT_BYTES.to_string()), "{text}");
    let mut valid = detail;
    valid["kind"] = json!(3);
    for name in 0..15 {
        valid[format!("m3_{name}")] = json!(true);
    }
    assert_eq!(compiled.check(&valid.to_string()), Ok(()));
}

/// Only the first item that breaks the union is reported.
#[test]
fn the_report_of_a_list_is_that_of_its_largest_item() {
    let item = union(5, 15);
    let schema = json!({"properties": {"list": {"items": item}}});
    let plan = Plan::of(&schema).unwrap();
    let detail = json!({"list": vec![large(200); 100]});
    let report = count_report(&plan, &detail).unwrap();
    let one = count_report(&Plan::of(&item).unwrap(), &large(200)).unwrap();
    assert!(
        report.bytes < 2 * one.bytes,
        "{} of {}",
        report.bytes,
        one.bytes
    );
    let finding = compiled(&schema).unwrap().check(&detail.to_string());
    let Err(Finding::Violation { path, .. }) = finding else {
        panic!("{finding:?}");
    };
    assert_eq!(path.as_str(), "/detail/list/0");
}

/// Each error of a name also has a copy of its object.
#[test]
fn the_names_of_a_large_object_are_counted_with_the_object() {
    let names = json!({"propertyNames": {"maxLength": 3, "pattern": "^a"}});
    let schema = json!({"anyOf": [names, {"type": "string"}]});
    let plan = Plan::of(&schema).unwrap();
    let object = |members: usize| -> Value {
        let members = (0..members).map(|number| (format!("name{number:06}"), json!(1)));
        Value::Object(members.collect())
    };
    let detail = object(20);
    let counted = count_report(&plan, &detail).unwrap().bytes;
    let held = collected(&schema, &detail);
    assert!(held > 0 && held <= counted, "{held} of {counted}");
    assert_eq!(count_report(&plan, &object(1_000)), None);
    let finding = compiled(&schema).unwrap().check(&object(1_000).to_string());
    assert_eq!(finding, Err(Finding::ViolationSomewhere));
}

/// The place of an error has all references that were followed.
#[test]
fn the_places_of_errors_are_counted() {
    let long = "x".repeat(100);
    let link = json!({"patternProperties": {format!("^(c|{long})$"): {"$ref": "#/$defs/n"}}});
    let schema = json!({"anyOf": [{"$ref": "#/$defs/n"}], "$defs": {"n": {
        "allOf": [link, {"minProperties": 9}]}}});
    let plan = Plan::of(&schema).unwrap();
    let detail = nested(20, "c");
    let counted = count_report(&plan, &detail).unwrap().bytes;
    let held = collected(&schema, &detail);
    assert!(held > 0 && held <= counted, "{held} of {counted}");
}

fn counted(schema: &Value, detail: &Value) -> Result<u64, NotChecked> {
    count(&Plan::of(schema).unwrap(), detail)
}

fn compiled(schema: &Value) -> Result<JsonSchema, CompileError> {
    JsonSchemas.compile(&Schema::parse(&schema.to_string()).unwrap())
}

/// A value inside of objects with the member `c`.
fn nested(depth: usize, member: &str) -> Value {
    (0..depth).fold(json!({}), |inner, _| json!({member: inner}))
}

/// Two branches that each visit the child, and both fail.
fn branching() -> Value {
    let branch = json!({"properties": {"c": {"$ref": "#/$defs/n"}}, "required": ["x"]});
    json!({"$ref": "#/$defs/n", "$defs": {"n": {"anyOf": [branch, branch]}}})
}

#[test]
fn a_recursion_with_branches_is_counted_and_not_made() {
    let schema = branching();
    for depth in 0..9 {
        let detail = nested(depth, "c");
        assert_counted(&schema, &detail);
        let [for_verdict, for_report] = asked(&schema, &detail);
        let asked = for_verdict + for_report;
        assert!(asked >= 1 << depth, "{asked}");
    }
    let detail = nested(60, "c");
    assert_eq!(counted(&schema, &detail), Err(NotChecked::TooManySteps));
    let check = compiled(&schema).unwrap().check(&detail.to_string());
    let too_many = NotChecked::TooManySteps;
    assert_eq!(check, Err(Finding::NotChecked(too_many)));
    assert!(too_many.to_string().contains(&MAX_CHECK_STEPS.to_string()));
}

#[test]
fn a_recursion_is_bounded_in_its_depth() {
    let schema = json!({"properties": {"c": {"allOf": [{"allOf": [{"$ref": "#"}]}]}}});
    let levels = |depth| counted(&schema, &nested(depth, "c"));
    assert!(levels(60).is_ok());
    assert_eq!(levels(MAX_CHECK_DEPTH / 2), Err(NotChecked::TooDeep));
    // The deepest check that is made fits into the stack of a thread.
    let detail = nested(62, "c");
    assert!(counted(&schema, &detail).is_ok());
    compiled(&schema)
        .unwrap()
        .check(&detail.to_string())
        .unwrap();
}

/// Definitions that lead to the next one by a keyword with two references.
fn chain(length: usize, link: impl Fn(Value) -> Value) -> Value {
    let mut definitions = serde_json::Map::new();
    for number in 0..length {
        let next = json!({"$ref": format!("#/$defs/d{}", number + 1)});
        definitions.insert(format!("d{number}"), link(next));
    }
    definitions.insert(format!("d{length}"), json!({"type": "object"}));
    json!({"$ref": "#/$defs/d0", "$defs": definitions})
}

#[test]
fn a_chain_that_doubles_is_refused() {
    let doubling = |keyword: &str| chain(20, |next| json!({keyword: [next, next]}));
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let refused = compiled(&doubling(keyword)).unwrap_err().to_string();
        let problem = "one value would meet more than 1000 subschemas";
        assert!(refused.contains(problem), "{refused}");
    }
    let long = chain(400, |next| json!({"properties": {"c": next}}));
    let refused = compiled(&long).unwrap_err().to_string();
    assert!(refused.contains("more than 300 subschemas"), "{refused}");
    let all = chain(
        70,
        |next| json!({"allOf": [next], "unevaluatedProperties": false}),
    );
    let refused = compiled(&all).unwrap_err().to_string();
    assert!(refused.contains("would ask more than 2000"), "{refused}");
}

/// If compilation followed each reference anew, it would not end.
#[test]
fn a_chain_of_steps_into_the_event_compiles_once() {
    let schema = chain(90, |next| json!({"properties": {"a": next, "b": next}}));
    let schema = compiled(&schema).unwrap();
    schema.check(r#"{"a": {"b": {"a": {}}}}"#).unwrap();
    let schema = chain(
        90,
        |next| json!({"items": next, "contains": next, "prefixItems": [next]}),
    );
    compiled(&schema).unwrap();
    let closed = chain(
        30,
        |next| json!({"allOf": [next], "unevaluatedProperties": false}),
    );
    compiled(&closed).unwrap();
}

#[test]
fn the_work_of_keywords_is_counted() {
    let steps = |schema: &Value, detail: &Value| counted(schema, detail).unwrap();
    let names = |count: usize| -> Value {
        let members = (0..count).map(|number| (format!("member-{number:06}"), json!(1)));
        Value::Object(members.collect())
    };
    // Each pattern with each member.
    let patterns: serde_json::Map<_, _> = (0..100)
        .map(|number| (format!("^x{number}$"), json!(true)))
        .collect();
    let schema = json!({"patternProperties": patterns});
    let (few, many) = (steps(&schema, &names(10)), steps(&schema, &names(70)));
    assert!(few > 10 * 100 * 13 && many > 6 * few, "{few} {many}");
    let most = counted(&schema, &names(5_000));
    assert_eq!(most, Err(NotChecked::TooManySteps));

    // A pattern on a long text, and a long list that must be unique.
    let text = json!({"a": "x".repeat(200_000)});
    let schema = json!({"properties": {"a": {"pattern": "^(a|b)*a(a|b){20}$"}}});
    assert_eq!(counted(&schema, &text), Err(NotChecked::TooManySteps));
    let list = json!({"a": (0..20_000).collect::<Vec<_>>()});
    let schema = json!({"properties": {"a": {"uniqueItems": true}}});
    assert!((160_000..400_000).contains(&steps(&schema, &list)));

    // A list of values with each value of an enumeration.
    let values: Vec<_> = (0..2_000).collect();
    let schema = json!({"properties": {"a": {"items": {"enum": values}}}});
    assert_eq!(counted(&schema, &list), Err(NotChecked::TooManySteps));
}

/// Some ten MB of automata in a text of 30 KB.
#[test]
fn a_thousand_patterns_are_too_large_to_compile() {
    let bound = format!("would take more than {MAX_COMPILED_BYTES} bytes");
    let members = |count: usize, of: &dyn Fn(usize) -> (String, Value)| -> Value {
        Value::Object((0..count).map(of).collect())
    };
    let values = members(1_000, &|n| {
        (n.to_string(), json!({"pattern": format!("[ab]{{20}}{n}")}))
    });
    let names = members(1_000, &|n| (format!("[ab]{{20}}{n}"), json!(true)));
    for (schema, place) in [
        (json!({"properties": values}), "at `/properties/"),
        (
            json!({"patternProperties": names}),
            "at `/patternProperties/",
        ),
    ] {
        let refused = compiled(&schema).unwrap_err().to_string();
        assert!(refused.starts_with(place), "{refused}");
        assert!(refused.ends_with(&bound), "{refused}");
    }
    // Some dozens fit, and so do a thousand members without them.
    let few = members(50, &|n| {
        (n.to_string(), json!({"pattern": format!("[ab]{{20}}{n}")}))
    });
    let few = compiled(&json!({"properties": few})).unwrap().size_bytes();
    assert!((2_000_000..4_194_304).contains(&few), "{few}");
    let plain = members(1_000, &|n| (n.to_string(), json!({"type": "string"})));
    let plain = json!({"properties": plain});
    let plain = compiled(&plain).unwrap().size_bytes();
    assert!((1_000_000..2_000_000).contains(&plain), "{plain}");
}

/// Each keyword has copies of its place.
#[test]
fn keywords_below_a_long_name_are_too_large_to_compile() {
    let bound = format!("would take more than {MAX_COMPILED_BYTES} bytes");
    let members: serde_json::Map<_, _> = (0..500).map(|n| (n.to_string(), json!({}))).collect();
    let below = |name: usize| json!({"properties": {"n".repeat(name): {"properties": members}}});
    assert!(compiled(&below(100)).is_ok());
    let refused = compiled(&below(10_000)).unwrap_err().to_string();
    assert!(refused.ends_with(&bound), "{refused}");
}

#[test]
fn the_copies_for_unevaluated_members_count() {
    let open = json!({"properties": {"a": true, "b": true}});
    let size = |schema: &Value| compiled(schema).unwrap().size_bytes();
    let nested = |keyword: &str| {
        (0..20).fold(
            open.clone(),
            |inner, _| json!({"allOf": [inner], keyword: false}),
        )
    };
    let (without, with) = (
        size(&nested("additionalProperties")),
        size(&nested("unevaluatedProperties")),
    );
    assert!(with > 4 * without, "{with} {without}");
}

#[test]
fn unevaluated_members_are_counted() {
    let closed = |depth: usize| {
        (0..depth).fold(json!({"properties": {"a": true}}), |inner, _| {
            json!({"anyOf": [inner, {"required": ["x"]}], "unevaluatedProperties": false})
        })
    };
    for depth in 1..8 {
        assert_counted(&closed(depth), &json!({"a": 1, "b": 2}));
    }
    let detail = json!({"a": 1, "b": 2});
    assert_eq!(counted(&closed(25), &detail), Err(NotChecked::TooManySteps));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        (0..3).prop_map(|n| json!(n)),
        "[ab]{0,2}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[abc]", inner, 0..3)
                .prop_map(|members| json!(members)),
        ]
    })
}

/// A schema whose references lead to its root, one step into the event below it.
fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({})),
        Just(json!(false)),
        Just(json!({"type": "string", "pattern": "a", "minLength": 1})),
        Just(json!({"required": ["a"]})),
        Just(json!({"minimum": 1})),
        Just(json!({"uniqueItems": true})),
        Just(json!({"properties": {"a": {"$ref": "#"}}})),
        Just(json!({"items": {"$ref": "#"}})),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let list = proptest::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            list.clone().prop_map(|list| json!({"allOf": list})),
            list.clone().prop_map(|list| json!({"anyOf": list})),
            list.clone().prop_map(|list| json!({"oneOf": list})),
            list.prop_map(|list| json!({"prefixItems": list, "unevaluatedItems": false})),
            inner.clone().prop_map(|one| json!({"not": one})),
            inner
                .clone()
                .prop_map(|one| json!({"properties": {"a": one, "b": {"$ref": "#"}}})),
            inner
                .clone()
                .prop_map(|one| json!({"additionalProperties": one})),
            inner
                .clone()
                .prop_map(|one| json!({"patternProperties": {"^a": one}})),
            inner.clone().prop_map(|one| json!({"propertyNames": one})),
            inner
                .clone()
                .prop_map(|one| json!({"items": one, "contains": {"type": "string"}})),
            inner
                .clone()
                .prop_map(|one| json!({"contains": one, "minContains": 2})),
            inner
                .clone()
                .prop_map(|one| json!({"dependentSchemas": {"a": one}})),
            (inner.clone(), inner.clone())
                .prop_map(|(one, other)| json!({"if": one, "then": other, "else": false})),
            (inner.clone(), inner)
                .prop_map(|(one, other)| json!({"allOf": [one], "unevaluatedProperties": other})),
        ]
    })
}

proptest! {
    #[test]
    fn a_check_asks_at_most_as_many_subschemas_as_were_counted(
        schema in schema(),
        detail in value(),
    ) {
        // A boolean cannot be at the root of an event type.
        prop_assume!(schema.is_object());
        let plan = Plan::of(&schema);
        prop_assume!(plan.is_ok());
        let plan = plan.unwrap();
        if count(&plan, &detail).is_ok() {
            assert_counted(&schema, &detail);
            if let Some(report) = count_report(&plan, &detail)
                && !options().build(&schema).unwrap().is_valid(&detail)
            {
                let held = collected(&schema, &detail);
                prop_assert!(held <= report.bytes, "{} of {}", held, report.bytes);
            }
        }
    }
}
