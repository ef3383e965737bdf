//! The answer's sentences in Japanese.
//!
//! Takes an answer and says what [`say`](crate::investigate::say) says in English, from the same facts. Promises: names and
//! values stand as the logs have them, between spaces or punctuation, so that who shows the text can tell them from words.
//! A reason that the core gives in words stays English.

use crate::investigate::answer::{
    Answer, Cause, CauseKind, Confidence, Credential, Direction, Root, RootKind, Source, SubjectKind,
};
use crate::investigate::moment::Moment;
use crate::investigate::say;

/// Says it, the deed first.
pub(super) fn sentences(answer: &Answer) -> Vec<String> {
    let mut said = Vec::new();
    match &answer.cause {
        Some(cause) => {
            said.push(deed(answer, cause));
            said.extend(change(cause));
            said.push(format!(
                "確からしさ: 原因は{}、行為者の特定は{}。",
                sure(cause.confidence),
                sure(answer.root.confidence)
            ));
        }
        None => {
            said.extend(answer.cannot_tell.as_ref().map(|why| format!("原因は特定できません（{why}）。")));
            said.extend(uses(answer));
        }
    }
    said.extend(considered(answer));
    said.extend(beside(answer));
    said
}

fn deed(answer: &Answer, cause: &Cause) -> String {
    let line = &cause.line;
    let at = line.time.map(|at| format!("{} UTC に、", at.plain())).unwrap_or_default();
    let who = who(&answer.root);
    if cause.kind == CauseKind::Flow {
        let remark = line.remark.as_deref().unwrap_or_default();
        return format!("{at}{who} が、検出結果の述べる通信（{remark}）を行いました。");
    }
    let place = match (&line.account, &line.region) {
        (Some(account), Some(region)) => format!("アカウント {account}（{region}）で "),
        (Some(account), None) => format!("アカウント {account} で "),
        _ => String::new(),
    };
    let on = line.resource.as_deref().map(|on| format!("{on} に対して ")).unwrap_or_default();
    let operation = line.operation.as_deref().unwrap_or("API");
    let times = if line.count > 1 { format!(" {} 回", line.count) } else { String::new() };
    let failed =
        line.error.as_deref().map(|error| format!("呼び出しは {error} で失敗しました。")).unwrap_or_default();
    let from = answer.source.as_ref().map(|source| format!("送信元は {}です。", spaced(place_of(source))));
    let with =
        answer.credential.as_ref().map(|used| format!("認証情報は{}です。", spaced(credential_of(used))));
    format!(
        "{at}{who} が{}、{place}{on}{operation} を{times}呼び出しました。{failed}{}{}",
        through(answer),
        from.unwrap_or_default(),
        with.unwrap_or_default()
    )
}

/// The root by name.
pub(super) fn who(root: &Root) -> String {
    let name = root.name.as_deref().or(root.id.as_deref()).unwrap_or_default();
    let of = root.account.as_deref().map(|account| format!("アカウント {account} の ")).unwrap_or_default();
    match root.kind {
        RootKind::IamUser => format!("{of}IAM ユーザー {name}"),
        RootKind::SsoUser => format!("Identity Center ユーザー {name}"),
        RootKind::FederatedUser => format!("フェデレーテッドユーザー {name}"),
        RootKind::WebIdentity => format!("ウェブ ID によるワークロード {name}"),
        RootKind::RootUser => format!("{of}ルートユーザー"),
        RootKind::Instance => format!("{of}インスタンス {name}"),
        RootKind::Function => format!("{of}関数 {name}"),
        RootKind::Workload => format!("{of}ワークロード {name}"),
        RootKind::Service => format!("サービス {name}"),
        RootKind::RoleSession => format!("{of}セッション {name} の何者か（出所はログにありません）"),
        RootKind::Account => format!("アカウント {name} の何者か"),
        RootKind::Anonymous => "署名なしの何者か".to_owned(),
        RootKind::Unknown => "ログに名前のない何者か".to_owned(),
    }
}

fn through(answer: &Answer) -> String {
    let roles = say::sessions(answer, Direction::Up);
    let mut through =
        if roles.is_empty() { String::new() } else { format!("、{} を経て", roles.join(" → ")) };
    if let Some(via) = &answer.root.via {
        through.push_str(&format!("、{via} を介して"));
    }
    through
}

/// Where it came from, with what is known of it.
pub(super) fn place_of(source: &Source) -> String {
    let mut known = Vec::new();
    if let Some(country) = &source.country {
        let basis = source.country_basis.as_deref().unwrap_or("registry");
        known.push(format!("{country}（根拠 {basis}）"));
    }
    known.extend(source.as_name.clone());
    known.extend(source.kind.as_deref().filter(|kind| *kind != "public").map(kind_of));
    known.extend(source.held_by.as_ref().map(|holder| format!("保持者 {holder}")));
    known.extend(source.indicator.as_ref().map(|indicator| format!("リスト掲載 {indicator}")));
    known.extend(source.agents.first().map(|agent| format!("エージェント {agent}")));
    if source.is_new == Some(true) {
        known.push("これまで使われたことのないネットワーク".to_owned());
    }
    if known.is_empty() {
        source.address.clone()
    } else {
        format!("{}（{}）", source.address, known.join("、"))
    }
}

/// The kind of an address.
pub(super) fn kind_of(kind: &str) -> String {
    match kind {
        "public" => "公開アドレス",
        "private" => "プライベートアドレス",
        "aws" => "AWS のアドレス",
        "corporate" => "社内ネットワーク",
        "service" => "AWS サービス",
        "special" => "特殊用途のアドレス",
        "unknown" => "不明なアドレス",
        other => return other.to_owned(),
    }
    .to_owned()
}

/// What is compared with what is usual.
pub(super) fn trait_of(what: &str) -> &str {
    match what {
        "principal" => "プリンシパル",
        "network" => "ネットワーク",
        "agent" => "エージェント",
        "operation" => "操作",
        "region" => "リージョン",
        "account" => "アカウント",
        other => other,
    }
}

/// The credential, with its age and factors.
pub(super) fn credential_of(credential: &Credential) -> String {
    let kind = super::words::credential(&credential.kind, super::Lang::Ja);
    let mut known = Vec::new();
    match (credential.age_seconds, credential.issued_at) {
        (Some(age), Some(_)) => known.push(format!("発行から {}", span(age))),
        (Some(age), None) if age > 0 => known.push(format!("使用開始から {}", span(age))),
        _ => {}
    }
    known.extend(credential.is_mfa.map(|is| super::words::mfa(is, super::Lang::Ja).to_owned()));
    known.extend(credential.is_console.filter(|is| *is).map(|_| "コンソール経由".to_owned()));
    let known = if known.is_empty() { String::new() } else { format!("（{}）", known.join("、")) };
    format!("{kind} {}{known}", credential.id)
}

fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} 秒"),
        120..7_200 => format!("{} 分", seconds / 60),
        7_200..172_800 => format!("{} 時間", seconds / 3_600),
        _ => format!("{} 日", seconds / 86_400),
    }
}

fn change(cause: &Cause) -> Option<String> {
    match (&cause.before, &cause.after) {
        (Some(before), Some(after)) => {
            Some(format!("変更前: {}、変更後: {}。", say::short(before), say::short(after)))
        }
        (None, Some(after)) if cause.kind == CauseKind::Change => {
            Some(format!("リクエスト: {}（変更前の状態はログにありません）。", say::short(after)))
        }
        (_, Some(after)) => Some(format!("リクエスト: {}。", say::short(after))),
        _ => None,
    }
}

/// A space after a name, so that it is told from the word that follows; a bracket needs none.
fn spaced(text: String) -> String {
    if text.ends_with('）') { text } else { format!("{text} ") }
}

const fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "確実",
        Confidence::Medium => "有力",
        Confidence::Low => "推測",
        Confidence::None => "特定できず",
    }
}

fn uses(answer: &Answer) -> Option<String> {
    let events: i64 = answer.sources.iter().map(|source| source.events).sum();
    let subject = &answer.subject;
    if events == 0 {
        return (subject.kind != SubjectKind::Finding)
            .then(|| format!("{} の呼び出しはレイクにありません。", subject.id));
    }
    let id = match (&answer.credential, subject.kind) {
        (Some(used), SubjectKind::Finding | SubjectKind::Resource | SubjectKind::Event) => &used.id,
        _ => &subject.id,
    };
    let mut said = match subject.kind {
        SubjectKind::Ip => format!("{id} から {events} 件の呼び出しがありました。"),
        _ => format!(
            "{id} は {} か所のアドレスから {events} 件の呼び出しに使われました。",
            answer.sources.len()
        ),
    };
    let roles = say::sessions(answer, Direction::Up);
    let through =
        if roles.is_empty() { String::new() } else { format!("、{} を経由", roles.join(" → ")) };
    said.push_str(&format!(
        "使っているのは{}です{through}（行為者の特定は{}）。",
        spaced(who(&answer.root)),
        sure(answer.root.confidence)
    ));
    let newest = answer.sources.iter().find(|source| source.is_new == Some(true)).or(answer.source.as_ref());
    if let Some(source) = newest {
        let first = source.first_seen.map(Moment::plain).unwrap_or_default();
        let last = source.last_seen.map(Moment::plain).unwrap_or_default();
        said.push_str(&format!(
            "最も新しい使用場所は {}で、{first} から {last} UTC に {} 件、うち {} 件が失敗しました。",
            spaced(place_of(source)),
            source.events,
            source.failed
        ));
    }
    said.extend(
        answer.credential.as_ref().map(|used| format!("認証情報は{}です。", spaced(credential_of(used)))),
    );
    Some(said)
}

fn considered(answer: &Answer) -> Option<String> {
    let others = say::others(answer);
    (!others.is_empty()).then(|| format!("ほかに検討した候補: {}。", others.join("、")))
}

fn beside(answer: &Answer) -> Vec<String> {
    let mut said = Vec::new();
    if let Some((first, rest)) = say::sessions(answer, Direction::Down).split_first() {
        let more = if rest.is_empty() { String::new() } else { format!("ほか {} 件の", rest.len()) };
        said.push(format!("ここから {first} {more}セッションが生まれました。"));
    }
    let created: Vec<String> = answer
        .created
        .iter()
        .take(4)
        .map(|one| format!("{} {}", super::created_kind(&one.kind, super::Lang::Ja), one.id))
        .collect();
    if !created.is_empty() {
        let more = answer.created.len().saturating_sub(4);
        let more = if more == 0 { String::new() } else { format!("、ほか {more} 件") };
        said.push(format!("作成: {}{more}。", created.join("、")));
    }
    if !answer.denied.is_empty() {
        said.push(format!("拒否された呼び出し: {} 件。", answer.denied.len()));
    }
    if answer.bytes_out > 0 {
        said.push(format!("読み出し: {}。", say::bytes(answer.bytes_out)));
    }
    let (tried, done): (Vec<_>, Vec<_>) =
        answer.logging_changes.iter().partition(|line| line.error.is_some());
    for (lines, words) in [(done, "ログ設定の変更"), (tried, "失敗したログ設定の変更の試み")]
    {
        let names: Vec<&str> = lines.iter().filter_map(|line| line.operation.as_deref()).collect();
        if !names.is_empty() {
            said.push(format!("{words}: {}。", names.join("、")));
        }
    }
    let findings =
        answer.findings.iter().filter(|finding| finding.why.as_deref() != Some("same account")).count();
    if findings > 0 {
        said.push(format!(
            "同じリソース・認証情報・主体・アドレスの検出結果がほかに {findings} 件あります。"
        ));
    }
    said
}
