//! Every word that a page says, in English and Japanese, in one table. The words of Microsoft's article on encrypting
//! a registry are its own; the others are ours.
//! Must not know: where a word is said.

/// A language of the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lang {
    En,
    Ja,
}

impl Lang {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }

    /// The language of a code; English where it is none of ours.
    pub(super) fn named(code: &str) -> Self {
        if code == "ja" { Self::Ja } else { Self::En }
    }

    /// What a browser prefers: the first of ours that it names, by weight.
    pub(super) fn accepted(header: &str) -> Self {
        let mut best = (0.0, Self::En);
        for part in header.split(',') {
            let mut words = part.trim().split(';');
            let tag = words.next().unwrap_or_default().trim().to_ascii_lowercase();
            let weight = words.find_map(|w| w.trim().strip_prefix("q=")?.parse::<f64>().ok()).unwrap_or(1.0);
            let lang = match tag.split('-').next() {
                Some("ja") => Self::Ja,
                Some("en") => Self::En,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, lang);
            }
        }
        best.1
    }
}

/// A word in each language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(&'static str, &'static str);

impl Label {
    pub(super) fn in_language(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.0,
            Lang::Ja => self.1,
        }
    }
}

macro_rules! labels {
    ($($name:ident $en:literal $ja:literal)*) => {
        $(pub(super) const $name: Label = Label($en, $ja);)*
        #[cfg(test)]
        const ALL: &[Label] = &[$($name),*];
    };
}

labels! {
    // The article's, label by label.
    CREATE_IDENTITY "Create user-assigned managed identity" "ユーザー割り当てマネージド ID の作成"
    BASICS "Basics" "基本"
    PURGE_PROTECTION "Purge protection" "消去保護"
    SETTINGS "Settings" "設定"
    ACCESS_POLICIES "Access policies" "アクセス ポリシー"
    ADD_ACCESS_POLICY "Add Access Policy" "アクセス ポリシーの追加"
    KEY_PERMISSIONS "Key permissions" "キーのアクセス許可"
    P_GET "Get" "取得"
    P_UNWRAP "Unwrap Key" "キーの折り返しを解除"
    P_WRAP "Wrap Key" "キーを折り返す"
    SELECT_PRINCIPAL "Select principal" "プリンシパルの選択"
    ADD "Add" "追加"
    SAVE "Save" "保存"
    IAM "Access control (IAM)" "アクセス制御 (IAM)"
    ADD_ROLE_ASSIGNMENT "Add role assignment" "ロールの割り当ての追加"
    USER_ASSIGNED_MI "User assigned managed identity" "ユーザー割り当てマネージド ID"
    KEYS "Keys" "キー"
    GENERATE_IMPORT "Generate/Import" "生成/インポート"
    CREATE "Create" "作成"
    CURRENT_VERSION "CURRENT VERSION" "現在のバージョン"
    KEY_IDENTIFIER "Key Identifier" "キー識別子"
    CREATE_RESOURCE "Create a resource" "リソースの作成"
    CONTAINERS "Containers" "コンテナー"
    CONTAINER_REGISTRY "Container Registry" "コンテナー レジストリ"
    SKU "SKU" "SKU"
    ENCRYPTION "Encryption" "暗号化"
    CUSTOMER_MANAGED_KEY "Customer-Managed Key" "顧客が管理するキー"
    ENABLED "Enabled" "有効"
    IDENTITY "Identity" "ID"
    SELECT_FROM_VAULT "Select from Key Vault" "キー コンテナーから選ぶ"
    CREATE_NEW "Create new" "新規作成"
    ENTER_KEY_URI "Enter key URI" "キー URI を入力する"
    REVIEW_CREATE "Review + create" "確認と作成"
    CHANGE_KEY "Change key" "キーの変更"
    SYSTEM_ASSIGNED "System assigned" "システム割り当て"
    STATUS "Status" "状態"
    ON "On" "オン"
    OBJECT_ID "Object ID" "オブジェクト ID"
    NETWORKING "Networking" "ネットワーク"
    TRUSTED_BYPASS "Allow trusted Microsoft services to bypass this firewall?" "信頼された Microsoft サービスがこのファイアウォールをバイパスすることを許可しますか?"
    YES "Yes" "はい"

    // What each choice means, as the article says it.
    SELECTED_HINT "A key selected from a vault has no version: the registry follows its new versions automatically." "キー コンテナーから選択するキーはバージョン管理されておらず、キーの自動ローテーションが有効になります。"
    URI_HINT "A key URI with a version is rotated by hand; one without a version is followed automatically." "バージョン管理されたキー URI は手動でローテーションします。バージョン管理されていないキー URI では、キーの自動ローテーションが有効になります。"
    SKU_HINT "A customer-managed key needs Premium." "カスタマー マネージド キーには Premium が必要です。"
    SERVICE_MANAGED_HINT "A customer-managed key can be enabled only when a registry is created." "カスタマー マネージド キーを有効にできるのは、レジストリを作成するときだけです。"

    // The frame.
    SKIP "Skip to the content" "コンテンツにスキップ"
    HOME "Home" "ホーム"
    BREADCRUMBS "Where you are" "現在の場所"
    MENU "Menu" "メニュー"
    PORTAL "Portal" "ポータル"
    SEARCH "Search resources" "リソースの検索"
    GO "Search" "検索"
    SIGNED_IN_AS "Acting as" "操作する ID"
    CLOCK "Clock" "時計"
    NOW "Now" "現在"
    NEXT_DUE "Next due" "次の予定"
    RATE "Rate" "速度"
    FROZEN "frozen" "停止中"
    CHANGE_CLOCK "Move the clock" "時計の変更"
    ADVANCE_BY "By" "進める時間"
    ADVANCE "Advance" "進める"
    TO_NEXT_DUE "To the next due moment" "次の予定まで進める"
    FREEZE "Freeze" "停止"
    RESUME "Resume" "再開"
    SET_RATE "Set the rate" "速度を設定"
    MAP "Registries and keys" "レジストリとキー"
    AUDIT "Audit" "監査"
    REQUESTS "Requests" "要求"
    DONE "Done" "完了"
    BEHIND "Behind this page" "このページの裏側"
    AZ_LINE "Azure CLI" "Azure CLI"
    EXCHANGES "HTTP exchanges" "HTTP のやり取り"
    EXCHANGE "exchange" "やり取り"
    COPY "Copy" "コピー"
    COPIED "Copied" "コピーしました"
    NOT_FOUND "Not found" "見つかりません"
    GONE_HINT "It is not there, or not there any more." "存在しないか、既に削除されています。"
    NO_ACCESS "No access" "アクセスできません"
    NO_ACCESS_HINT "Whom you act as may not see this." "現在の ID には、これを表示する権限がありません。"
    FAILED "This did not succeed" "失敗しました"
    FAILED_HINT "The answer of the service stands above." "サービスの応答は上のとおりです。"
    CHANGED_MEANWHILE "This was changed in the meantime, perhaps in another window. What you see now is as it is now; what you typed is kept. Look at both, then send it again." "この間に、別のウィンドウなどで変更されました。表示は現在の内容で、入力した値は残っています。確認してから、もう一度送信してください。"
    PAGES "Pages" "ページ"
    PREVIOUS "Previous" "前へ"
    NEXT "Next" "次へ"
    NOTHING "There is nothing here." "何もありません。"
    CHOOSE "Choose one" "選択してください"
    REQUIRED "A value is required here." "値が必要です。"
    NOT_A_NAME "This is not a name." "名前として使用できません。"
    STEPS "Steps" "手順"
    VALIDATION_PASSED "Validation passed" "検証に成功しました"
    DELETE "Delete" "削除"
    TYPE_NAME_TO_DELETE "Type its name to delete it" "削除するには名前を入力してください"
    REFRESH "Refresh" "最新の情報に更新"
    FILTER "Filter" "フィルター"
    EDIT "Edit" "編集"
    REMOVE "Remove" "削除"
    ACTION "Action" "操作"

    // Resources.
    ALL_RESOURCES "All resources" "すべてのリソース"
    ALL_TYPES "All types" "すべての種類"
    ALL_GROUPS "All resource groups" "すべてのリソース グループ"
    EMPTY_WORLD "This instance is empty." "このインスタンスは空です。"
    RESOURCE_GROUP "Resource group" "リソース グループ"
    KEY_VAULT "Key vault" "キー コンテナー"
    MANAGED_IDENTITY "Managed identity" "マネージド ID"
    IDENTITY_SECURITY "Identity and security" "ID とセキュリティ"
    GENERAL "General" "全般"
    TEMPLATES "Templates" "テンプレート"
    CREATE_GROUP "Create a resource group" "リソース グループの作成"
    CREATE_VAULT "Create a key vault" "キー コンテナーの作成"
    CREATE_REGISTRY "Create container registry" "コンテナー レジストリの作成"
    NEW_GROUP "New resource group" "新しいリソース グループ"
    NAME "Name" "名前"
    TYPE "Type" "種類"
    LOCATION "Location" "場所"
    REGION "Region" "リージョン"
    RESOURCES "Resources" "リソース"
    RESOURCE_ID "Resource ID" "リソース ID"
    OVERVIEW "Overview" "概要"
    CREATED "Created" "作成日時"
    UPDATED "Updated" "更新日時"
    VALUE "Value" "値"
    USED_BY "Used by" "使用しているリソース"
    CLIENT_ID "Client ID" "クライアント ID"
    PROVISIONING_STATE "Provisioning state" "プロビジョニングの状態"
    SIZE "Size" "サイズ"
    TIME "Time" "時刻"
    DURATION "Duration" "期間"
    MESSAGE "Message" "メッセージ"
    DISABLED "Disabled" "無効"
    OFF "Off" "オフ"
    NO "No" "いいえ"
    SHOW "Show" "表示"

    // Who.
    ACT_AS "Act as" "ID の切り替え"
    ACT_AS_HINT "Every page and every button asks as whom you act as. What it may not do is refused as Azure refuses it." "すべてのページとボタンは、選択した ID として要求します。許可されていないことは Azure と同じように拒否されます。"
    THIS_IS_YOU "This is you" "現在の ID"
    PRINCIPALS "Principals" "プリンシパル"
    PRINCIPAL "Principal" "プリンシパル"
    SEARCH_PRINCIPAL "Search by name or object ID" "名前またはオブジェクト ID で検索"
    SEARCH_PRINCIPAL_HINT "The beginning of a name, or a whole object ID." "名前の先頭部分、またはオブジェクト ID 全体。"
    SEARCH_BUTTON "Search" "検索"
    SERVICE_PRINCIPAL "Service principal" "サービス プリンシパル"
    SYSTEM_ASSIGNED_MI "System assigned managed identity" "システム割り当てマネージド ID"
    ROLE "Role" "ロール"
    ROLE_ASSIGNMENTS "Role assignments" "ロールの割り当て"
    SCOPE "Scope" "スコープ"
    PERMISSIONS "Permissions" "アクセス許可"
    SECRET_PERMISSIONS "Secret permissions" "シークレットのアクセス許可"
    POLICIES_UNUSED "This vault uses Azure role-based access control: its access policies have no effect." "このキー コンテナーでは Azure ロールベースのアクセス制御が使用されており、アクセス ポリシーは無効です。"
    NOT_SAVED "Added, not saved yet" "追加済み、未保存"
    P_LIST "List" "一覧"
    P_UPDATE "Update" "更新"
    P_CREATE "Create" "作成"
    P_IMPORT "Import" "インポート"
    P_DELETE "Delete" "削除"
    P_RECOVER "Recover" "回復"
    P_BACKUP "Backup" "バックアップ"
    P_RESTORE "Restore" "復元"
    P_DECRYPT "Decrypt" "暗号化解除"
    P_ENCRYPT "Encrypt" "暗号化"
    P_VERIFY "Verify" "確認"
    P_SIGN "Sign" "署名"
    P_PURGE "Purge" "消去"
    P_ROTATE "Rotate" "ローテーション"
    P_SET "Set" "設定"

    // Vaults and keys.
    PRICING_TIER "Pricing tier" "価格レベル"
    RETENTION_DAYS "Days to retain deleted vaults" "削除されたコンテナーを保持する日数"
    SOFT_DELETE "Soft-delete" "論理的な削除"
    ACCESS_CONFIGURATION "Access configuration" "アクセス構成"
    PERMISSION_MODEL "Permission model" "アクセス許可モデル"
    MODEL_RBAC "Azure role-based access control" "Azure ロールベースのアクセス制御"
    MODEL_POLICIES "Vault access policy" "コンテナーのアクセス ポリシー"
    ALLOW_ACCESS_FROM "Allow access from" "許可するアクセス元"
    ALL_NETWORKS "All networks" "すべてのネットワーク"
    SELECTED_NETWORKS "Selected networks" "選択されたネットワーク"
    NO_PUBLIC_ACCESS "No public access" "パブリック アクセスなし"
    IP_ADDRESSES "IP addresses" "IP アドレス"
    IP_ADDRESSES_HINT "Addresses or ranges such as 203.0.113.0/24, parted by commas." "203.0.113.0/24 などのアドレスまたは範囲 (コンマ区切り)。"
    VAULT_URI "Vault URI" "コンテナーの URI"
    DELETED_VAULTS "Manage deleted vaults" "削除されたコンテナーの管理"
    DELETED_ON "Deleted" "削除日時"
    PURGED_ON "Scheduled purge" "消去の予定日時"
    RECOVER "Recover" "回復"
    PURGE "Purge" "消去"
    CREATE_KEY "Create a key" "キーの作成"
    MANAGE_DELETED_KEYS "Manage deleted keys" "削除されたキーの管理"
    OPTIONS "Options" "オプション"
    GENERATE "Generate" "生成"
    IMPORT "Import" "インポート"
    KEY "Key" "キー"
    KEY_TYPE "Key type" "キーの種類"
    RSA_KEY_SIZE "RSA key size" "RSA キー サイズ"
    KEY_MATERIAL "Key to import (JWK)" "インポートするキー (JWK)"
    KEY_MATERIAL_HINT "A JSON Web Key with its private members." "秘密鍵を含む JSON Web Key。"
    ACTIVATION_DATE "Activation date" "アクティブ化する日"
    EXPIRATION_DATE "Expiration date" "有効期限"
    DATE_HINT "A time such as 2030-01-31T12:00:00Z, or nothing." "2030-01-31T12:00:00Z のような日時。空欄も可。"
    VERSION "Version" "バージョン"
    NEW_VERSION "New Version" "新しいバージョン"
    OLDER_VERSIONS "OLDER VERSIONS" "古いバージョン"
    ROTATE_NOW "Rotate now" "今すぐローテーション"
    ROTATION_POLICY "Rotation policy" "ローテーション ポリシー"
    PERMITTED_OPERATIONS "Permitted operations" "許可された操作"
    EXPIRY_TIME "Expiry time" "有効期間"
    PERIOD_HINT "A period such as P90D or P2Y, or nothing." "P90D や P2Y のような期間。空欄も可。"
    AUTO_ROTATION "Enable auto rotation" "自動ローテーションを有効にする"
    ROTATION_OPTION "Rotation option" "ローテーション オプション"
    AFTER_CREATION "Automatically renew at a given time after creation" "作成後、指定した時間が経過したら自動的に更新"
    BEFORE_EXPIRY "Automatically renew at a given time before expiry" "有効期限の前の指定した時間に自動的に更新"
    ROTATION_TIME "Rotation time" "ローテーション時間"

    // Registries.
    REGISTRY "Registry" "レジストリ"
    LOGIN_SERVER "Login server" "ログイン サーバー"
    PUBLIC_NETWORK_ACCESS "Public network access" "パブリック ネットワーク アクセス"
    TRUSTED_SERVICES "Allow trusted Microsoft services to access this container registry" "信頼された Microsoft サービスによるこのコンテナー レジストリへのアクセスを許可する"
    ENCRYPTION_KEY "Encryption" "暗号化"
    NEW_KEY "New key" "新しいキー"
    CURRENT_KEY_VERSION "Current key version" "現在のキーのバージョン"
    ROTATION "Key rotation" "キーのローテーション"
    ROTATION_AUTOMATIC "Automatic: new versions are followed" "自動: 新しいバージョンに追従します"
    ROTATION_MANUAL "Manual: this version until it is changed" "手動: 変更するまでこのバージョンを使用します"
    LAST_ROTATION "Last rotation" "最後のローテーション"
    NEXT_LOOK "Next look for a new version" "新しいバージョンの次回確認"
    USER_ASSIGNED "User assigned" "ユーザー割り当て"
    ACCESS_KEYS "Access keys" "アクセス キー"
    ADMIN_USER "Admin user" "管理者ユーザー"
    USERNAME "Username" "ユーザー名"
    REGENERATE "Regenerate" "再生成"
    SERVICES "Services" "サービス"
    REPOSITORIES "Repositories" "リポジトリ"
    REPOSITORY "Repository" "リポジトリ"
    TAG "Tag" "タグ"
    TAGS "Tags" "タグ"
    DIGEST "Digest" "ダイジェスト"
    DOCKER_PULL "Docker pull command" "Docker pull コマンド"
    MANIFEST "Manifest" "マニフェスト"
    MANIFESTS "Manifests" "マニフェスト"
    LAYERS "Layers" "レイヤー"
    REFERRERS "Referrers" "参照元"
    ANNOTATIONS "Annotations" "注釈"
    WEBHOOKS "Webhooks" "Webhook"
    WEBHOOK "Webhook" "Webhook"
    ADD_WEBHOOK "Create webhook" "Webhook の作成"
    SERVICE_URI "Service URI" "サービス URI"
    ACTIONS "Actions" "操作"
    SCOPE_HINT "A repository, repository:tag or repository:*; nothing for all." "リポジトリ、リポジトリ:タグ、または リポジトリ:*。空欄はすべて。"
    PING "Ping" "Ping"
    EVENTS "Events" "イベント"
    TARGET "Target" "対象"
    REPLICATIONS "Replications" "レプリケーション"
    TASKS "Tasks" "タスク"
    TASK "Task" "タスク"
    STEP "Step" "ステップ"
    TIMERS "Timers" "タイマー"
    RUN_TASK "Run" "実行"
    RUNS "Runs" "実行"
    RUN "Run" "実行"
    CANCEL_RUN "Cancel" "キャンセル"
    FINISHED "Finished" "終了日時"
    LOG "Log" "ログ"
    LOCKS "Locks" "ロック"
    LOCK_TYPE "Lock type" "ロックの種類"
    LOCK_DELETE "Delete" "削除"
    LOCK_READ_ONLY "Read-only" "読み取り専用"

    // Deployments.
    DEPLOYMENTS "Deployments" "デプロイ"
    DEPLOYMENT "Deployment" "デプロイ"
    DEPLOY_TEMPLATE "Deploy a custom template" "カスタム テンプレートのデプロイ"
    DEPLOYMENT_NAME "Deployment name" "デプロイ名"
    DEPLOYMENT_COMPLETE "Your deployment is complete" "デプロイが完了しました"
    DEPLOYMENT_FAILED "Your deployment failed" "デプロイが失敗しました"
    DEPLOYMENT_RUNNING "Deployment is in progress" "デプロイが進行中です"
    OUTPUTS "Outputs" "出力"
    TEMPLATE "Template" "テンプレート"
    TEMPLATE_HINT "Paste a template, or choose a file below." "テンプレートを貼り付けるか、下でファイルを選択してください。"
    TEMPLATE_FILE "Template file" "テンプレート ファイル"
    PARAMETERS "Parameters" "パラメーター"
    PARAMETERS_HINT "A JSON object: {\"name\": \"value\"}, or the content of a parameter file." "JSON オブジェクト ({\"名前\": \"値\"}) またはパラメーター ファイルの内容。"
    VALIDATE "Validate" "検証"
    NOT_JSON "This is not JSON." "JSON ではありません。"

    // The envelope.
    ENVELOPE "Envelope" "エンベロープ"
    OPEN "Open" "利用可能"
    BLOCKED "Blocked" "ブロック"
    TO_MEND "To mend it" "解決方法"
    GONE "(gone)" "(存在しません)"
    MAY_USE "may use the keys of" "キーを使用できる"
    HOLDS "holds" "保持"
    HAS_VERSION "has the version" "バージョン"
    UNWRAPS "unwraps" "折り返しを解除"
    OPENS "opens" "開く"
    WRAPPED_DATA_KEY "Wrapped data key" "折り返されたデータ キー"
    PLATFORM_KEY "Platform key" "プラットフォーム キー"
    SERVICE_MANAGED "Service-managed key" "サービス マネージド キー"
    BLOBS "Blobs" "BLOB"
    SEALED "sealed with the data key (AES-256-GCM)" "データ キーで暗号化 (AES-256-GCM)"
    WHY_DISABLED "The key version that wraps the data key is disabled, or not in its time." "データ キーを折り返しているキーのバージョンが無効か、有効期間外です。"
    WHY_OPERATIONS "The key is not permitted to unwrap." "キーの折り返しを解除する操作がキーに許可されていません。"
    WHY_KEY_GONE "The key, or the version that wraps the data key, was deleted." "キー、またはデータ キーを折り返しているバージョンが削除されました。"
    WHY_POLICY "The registry's identity has no access policy with Get, Unwrap Key and Wrap Key." "レジストリの ID に、取得、キーの折り返しを解除、キーを折り返すのアクセス ポリシーがありません。"
    WHY_ROLE "The registry's identity has no role that lets it use the key." "レジストリの ID に、キーを使用できるロールがありません。"
    WHY_FIREWALL "The vault's firewall keeps the registry out." "キー コンテナーのファイアウォールがレジストリをブロックしています。"
    WHY_VAULT_GONE "The vault was deleted." "キー コンテナーが削除されました。"
    WHY_IDENTITY_GONE "The identity that uses the key is gone, disabled, or not the registry's any more." "キーを使用する ID が存在しないか、無効か、レジストリに割り当てられていません。"
    WHY_IDENTITY_EXPIRED "The identity that uses the key has expired." "キーを使用する ID の有効期限が切れています。"
    MEND_ENABLE "Enable the key version" "キーのバージョンを有効にする"
    MEND_OPERATIONS "Permit the operation on the key" "キーの操作を許可する"
    MEND_RECOVER_KEY "Recover the key" "キーを回復する"
    MEND_POLICY "Add an access policy" "アクセス ポリシーを追加する"
    MEND_ROLE "Add a role assignment" "ロールの割り当てを追加する"
    MEND_FIREWALL "Let trusted services bypass the firewall" "信頼されたサービスにファイアウォールのバイパスを許可する"
    MEND_RECOVER_VAULT "Recover the vault" "キー コンテナーを回復する"
    MEND_IDENTITY "Give the registry an identity that may use the key" "キーを使用できる ID をレジストリに割り当てる"

    // Audit and requests.
    OPERATION "Operation" "操作"
    OPERATIONS "Operation details" "操作の詳細"
    CALLER "Caller" "呼び出し元"
    OBJECT "Object" "オブジェクト"
    RESULT "Result" "結果"
    ALL_RESULTS "All" "すべて"
    ALLOWED "Allowed" "許可"
    REFUSED "Refused" "拒否"
    METHOD "Method" "メソッド"
    HOST "Host" "ホスト"
    PATH "Path" "パス"
    CODE "Code" "コード"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_says_something_in_each_language() {
        for label in ALL {
            assert!(!label.0.is_empty() && !label.1.is_empty(), "{label:?}");
            assert!(label.0.is_ascii(), "{label:?}");
        }
    }

    #[test]
    fn the_preferred_language_is_chosen() {
        for (header, lang) in [
            ("", Lang::En),
            ("ja", Lang::Ja),
            ("ja-JP,ja;q=0.9,en;q=0.8", Lang::Ja),
            ("en-US,en;q=0.9,ja;q=0.8", Lang::En),
            ("de,fr;q=0.5", Lang::En),
            ("de, ja;q=0.1", Lang::Ja),
            ("ja;q=x, en;q=0.5", Lang::Ja),
        ] {
            assert_eq!(Lang::accepted(header), lang, "{header}");
        }
    }
}
