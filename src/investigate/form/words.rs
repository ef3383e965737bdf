//! The words of the forms, English and Japanese side by side.
//!
//! Takes what is to be said and a language, gives the words. Both languages stand in one line, so that a word
//! that lacks one does not build. What the logs say, and the reasons the core gives, are not here: they stay as they are.

use crate::investigate::answer::{CauseKind, Confidence, Direction, Join, NoteKind, RootKind, SubjectKind};

/// The language of labels and of the paragraph.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Japanese.
    Ja,
}

impl Lang {
    /// Returns the tag that pages carry.
    pub(in crate::investigate) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }
}

macro_rules! words {
    ($($name:ident: $en:literal, $ja:literal;)*) => {
        /// A word of a form.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::investigate) enum Word {
            $($name,)*
        }

        impl Word {
            /// Says it.
            pub(in crate::investigate) const fn say(self, lang: Lang) -> &'static str {
                match (self, lang) {
                    $((Self::$name, Lang::En) => $en, (Self::$name, Lang::Ja) => $ja,)*
                }
            }

            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

words! {
    // Headings.
    Facts: "Facts", "事実";
    Who: "Who", "誰が";
    When: "When", "いつ";
    What: "What", "何を";
    FromWhere: "From where", "どこから";
    Cause: "Cause", "原因";
    Chain: "Chain", "認証情報の連鎖";
    Steps: "Chain, step by step", "連鎖の各段階";
    Timeline: "Timeline", "時系列";
    Routine: "Routine calls of the same identity", "同じ主体の日常的な呼び出し";
    Created: "Created", "作成されたもの";
    Refused: "Refused", "拒否された呼び出し";
    Logging: "Logging and security services", "ログ記録とセキュリティサービス";
    SameAddress: "Others from the same address", "同じアドレスからのほかの利用者";
    IsItUsual: "Is it usual?", "普段どおりか";
    Network: "Network", "ネットワーク";
    OtherFindings: "Other findings", "ほかの検出結果";
    EvidenceHead: "Evidence", "証跡";
    Verified: "Checked against CloudTrail's digests", "CloudTrail ダイジェストによる検証";
    Verdict: "Verdict", "判定";
    Reason: "Reason", "理由";
    ToKnow: "To know", "留意点";
    // Labels.
    Window: "window", "期間";
    Finding: "finding", "検出結果";
    Credential: "credential", "認証情報";
    Id: "id", "ID";
    Because: "because", "根拠";
    Or: "or", "ほかの候補";
    Not: "not", "退けた候補";
    Sure: "sure", "確度";
    Request: "request", "リクエスト";
    Before: "before", "変更前";
    After: "after", "変更後";
    CannotBeTold: "cannot be told", "特定できず";
    Time: "time", "時刻";
    Account: "account", "アカウント";
    Operation: "operation", "操作";
    Resource: "resource", "リソース";
    Result: "result", "結果";
    Source: "from", "送信元";
    Kind: "kind", "種類";
    Of: "by", "主体";
    To: "to", "先";
    How: "how", "方法";
    Mfa: "MFA", "MFA";
    Calls: "calls", "呼び出し";
    Failed: "failed", "失敗";
    FirstSeen: "first", "最初";
    LastSeen: "last", "最後";
    KnownOf: "known of it", "判明していること";
    Agent: "agent", "エージェント";
    Trait: "trait", "項目";
    Value: "value", "値";
    IsUsual: "usual?", "普段";
    OtherPrincipals: "others / of", "ほかの主体 / 全体";
    Port: "port", "ポート";
    Action: "action", "可否";
    Flows: "flows", "フロー";
    Bytes: "bytes", "バイト";
    NewPeers: "new peers", "新しい通信先";
    Severity: "severity", "重大度";
    Product: "product", "サービス";
    Title: "title", "件名";
    InCommon: "in common", "共通点";
    EvidenceLabel: "evidence", "証跡";
    EventId: "event id", "イベント ID";
    Object: "object", "オブジェクト";
    Index: "index", "位置";
    // Words within lines.
    Ok: "ok", "成功";
    New: "NEW", "新規";
    FirstTime: "first time", "初めて";
    Usual: "usual", "普段どおり";
    NothingToCompare: "nothing before to compare with", "比較できる過去がない";
    With: "with MFA", "MFA あり";
    Without: "without MFA", "MFA なし";
    Issued: "issued", "発行";
    Expires: "expires", "期限";
    Used: "used", "使用";
    Events: "events", "イベント";
    LongTerm: "long-term key", "長期キー";
    Temporary: "temporary key", "一時キー";
    OtherCredential: "credential", "認証情報";
    More: "more", "件を省略";
    MoreCharacters: "more characters", "文字を省略";
    InTheJson: "more in the JSON", "件は JSON に";
    NoChain: "No record of how the credential was issued.", "認証情報の発行記録はありません。";
    QuestionsRead: "questions; each stands in the JSON and can be asked again; bytes read:", "件の問い合わせ (JSON にあり、再実行できます)。読み取りバイト:";
    Earlier: "earlier", "件は前";
    Later: "later", "件は後";
    Outside: "Lines outside the picture:", "図の範囲外:";
    Utc: "All times are UTC.", "時刻はすべて UTC です。";
    MadeBy: "Made by ashiato", "ashiato が作成";
    // Lanes of the timeline.
    LaneSignIn: "sign-in, role", "サインイン・ロール";
    LaneChange: "change", "変更";
    LaneReadOut: "read-out", "読み出し";
    LaneDenied: "refused", "拒否";
    LaneRead: "look-up", "参照";
    LaneFinding: "finding", "検出結果";
    // How sure.
    High: "confidence high", "確度 高";
    Medium: "confidence medium", "確度 中";
    Low: "confidence low", "確度 低";
    // Subjects.
    KindFinding: "finding", "検出結果";
    KindKey: "key", "アクセスキー";
    KindPrincipal: "principal", "プリンシパル";
    KindSession: "session", "セッション";
    KindIp: "ip", "IP アドレス";
    KindResource: "resource", "リソース";
    KindEvent: "event", "イベント";
    // Roots.
    RootIamUser: "IAM user", "IAM ユーザー";
    RootSsoUser: "Identity Center user", "Identity Center ユーザー";
    RootFederated: "federated user", "フェデレーテッドユーザー";
    RootWebIdentity: "workload (web identity)", "ワークロード (ウェブ ID)";
    RootRoot: "root user", "ルートユーザー";
    RootInstance: "instance", "インスタンス";
    RootFunction: "function", "関数";
    RootWorkload: "workload", "ワークロード";
    RootService: "service", "サービス";
    RootRoleSession: "role session, origin not in the logs", "ロールセッション (出所はログになし)";
    RootAccount: "another account", "別のアカウント";
    RootAnonymous: "unsigned", "署名なし";
    RootUnknown: "unknown", "不明";
    // Causes.
    CauseChange: "change", "変更";
    CauseCall: "call", "呼び出し";
    CauseFlow: "flow", "フロー";
    CauseEvent: "event", "イベント";
    // Edges.
    EdgeAssumeRole: "assumes the role", "ロールの引き受け";
    EdgeSaml: "signs in with SAML", "SAML サインイン";
    EdgeWebIdentity: "comes with a web identity", "ウェブ ID";
    EdgeAssumeRoot: "assumes root", "ルートの引き受け";
    EdgeSessionToken: "gets a session token", "セッショントークン";
    EdgeFederation: "gets a federation token", "フェデレーショントークン";
    EdgeInstance: "role of the instance", "インスタンスのロール";
    EdgeService: "a service takes the role", "サービスによる引き受け";
    EdgeConsole: "signs in to the console", "コンソールサインイン";
    EdgeSso: "signs in by Identity Center", "Identity Center サインイン";
    EdgeStack: "works on a stack", "スタック操作";
    JoinKey: "by the issued key", "発行キーで一致";
    JoinShared: "by both accounts' records of the call", "両アカウントの記録で一致";
    JoinTime: "by the session's begin", "セッション開始時刻で一致";
    JoinConsole: "by the console sign-in", "コンソールサインインで一致";
    JoinFas: "by the caller's session", "呼び出し元セッションで一致";
    JoinStack: "by the stack's role", "スタックのロールで一致";
    Up: "towards the root", "上流";
    Down: "issued with it", "派生";
    // Notes.
    NoteMissing: "missing", "欠落";
    NoteGap: "gap", "空白";
    NoteCut: "cut", "省略";
    NoteBasis: "basis", "根拠";
}

impl From<Confidence> for Word {
    fn from(confidence: Confidence) -> Self {
        match confidence {
            Confidence::High => Self::High,
            Confidence::Medium => Self::Medium,
            Confidence::Low => Self::Low,
            Confidence::None => Self::CannotBeTold,
        }
    }
}

impl From<SubjectKind> for Word {
    fn from(kind: SubjectKind) -> Self {
        match kind {
            SubjectKind::Finding => Self::KindFinding,
            SubjectKind::Key => Self::KindKey,
            SubjectKind::Principal => Self::KindPrincipal,
            SubjectKind::Session => Self::KindSession,
            SubjectKind::Ip => Self::KindIp,
            SubjectKind::Resource => Self::KindResource,
            SubjectKind::Event => Self::KindEvent,
        }
    }
}

impl From<RootKind> for Word {
    fn from(kind: RootKind) -> Self {
        match kind {
            RootKind::IamUser => Self::RootIamUser,
            RootKind::SsoUser => Self::RootSsoUser,
            RootKind::FederatedUser => Self::RootFederated,
            RootKind::WebIdentity => Self::RootWebIdentity,
            RootKind::RootUser => Self::RootRoot,
            RootKind::Instance => Self::RootInstance,
            RootKind::Function => Self::RootFunction,
            RootKind::Workload => Self::RootWorkload,
            RootKind::Service => Self::RootService,
            RootKind::RoleSession => Self::RootRoleSession,
            RootKind::Account => Self::RootAccount,
            RootKind::Anonymous => Self::RootAnonymous,
            RootKind::Unknown => Self::RootUnknown,
        }
    }
}

impl From<CauseKind> for Word {
    fn from(kind: CauseKind) -> Self {
        match kind {
            CauseKind::Change => Self::CauseChange,
            CauseKind::Call => Self::CauseCall,
            CauseKind::Flow => Self::CauseFlow,
            CauseKind::Event => Self::CauseEvent,
        }
    }
}

impl From<Join> for Word {
    fn from(join: Join) -> Self {
        match join {
            Join::Key => Self::JoinKey,
            Join::SharedId => Self::JoinShared,
            Join::SessionTime => Self::JoinTime,
            Join::Console => Self::JoinConsole,
            Join::Fas => Self::JoinFas,
            Join::StackRole => Self::JoinStack,
        }
    }
}

impl From<Direction> for Word {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Up => Self::Up,
            Direction::Down => Self::Down,
        }
    }
}

impl From<NoteKind> for Word {
    fn from(kind: NoteKind) -> Self {
        match kind {
            NoteKind::Missing => Self::NoteMissing,
            NoteKind::Gap => Self::NoteGap,
            NoteKind::Cut => Self::NoteCut,
            NoteKind::Basis => Self::NoteBasis,
        }
    }
}

/// Says how a credential was issued; a kind without words stays as it is.
pub(in crate::investigate) fn edge(kind: &str, lang: Lang) -> &str {
    let word = match kind {
        "assume_role" => Word::EdgeAssumeRole,
        "saml" => Word::EdgeSaml,
        "web_identity" => Word::EdgeWebIdentity,
        "assume_root" => Word::EdgeAssumeRoot,
        "session_token" => Word::EdgeSessionToken,
        "federation_token" => Word::EdgeFederation,
        "instance" => Word::EdgeInstance,
        "service" => Word::EdgeService,
        "console" => Word::EdgeConsole,
        "sso" => Word::EdgeSso,
        "stack" => Word::EdgeStack,
        other => return other,
    };
    word.say(lang)
}

/// Says whether a second factor was used.
pub(in crate::investigate) const fn mfa(is: bool, lang: Lang) -> &'static str {
    if is { Word::With.say(lang) } else { Word::Without.say(lang) }
}

/// Says what kind of credential it is.
pub(in crate::investigate) fn credential(kind: &str, lang: Lang) -> &'static str {
    match kind {
        "long_term" => Word::LongTerm.say(lang),
        "temporary" => Word::Temporary.say(lang),
        _ => Word::OtherCredential.say(lang),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_said_in_both_languages() {
        let is_japanese =
            |text: &str| text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}'));
        for word in Word::ALL {
            assert!(!word.say(Lang::En).is_empty() && word.say(Lang::En).is_ascii(), "{word:?}");
            assert!(is_japanese(word.say(Lang::Ja)) || matches!(word, Word::Id | Word::Mfa), "{word:?}");
        }
    }
}
