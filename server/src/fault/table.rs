//! The table of faults.
//!
//! A row reads: variant, name, the rule it breaks, [rules it cannot help breaking too], what it does. Triggers are as
//! narrow as the mistake allows, so that a fault fails the scenarios of its own rule and leaves the others alone.

use super::FaultInfo;

macro_rules! faults {
    ($($variant:ident $name:literal $rule:literal [$($also:literal),*] $text:literal;)*) => {
        /// A rule broken on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Fault {
            $(#[doc = $text] $variant,)*
        }

        impl Fault {
            /// Every fault, in the order of the rules.
            pub fn all() -> &'static [FaultInfo] {
                const ALL: &[FaultInfo] = &[$(FaultInfo {
                    fault: Fault::$variant,
                    name: $name,
                    rule: $rule,
                    also: &[$($also),*],
                    text: $text,
                },)*];
                ALL
            }
        }
    };
}

faults! {
    // The service as a whole.
    UnknownMethodNotFound "rpc-unknown-method-not-found" "rpc.unknown-method" []
        "an unknown method is answered NOT_FOUND";
    UnknownMethodInternal "rpc-unknown-method-internal" "rpc.unknown-method" []
        "an unknown method is answered INTERNAL";
    UnknownMethodOk "rpc-unknown-method-ok" "rpc.unknown-method" []
        "an unknown method is answered OK with an empty message";
    DeadlineIgnored "rpc-deadline-ignored" "rpc.deadline" ["rpc.deadline-status"]
        "grpc-timeout is ignored: a silent stream stays open";
    DeadlineMinutes "rpc-deadline-minutes" "rpc.deadline" ["rpc.deadline-status"]
        "the unit `m` of grpc-timeout is taken for minutes (it means milliseconds)";
    DeadlineLate "rpc-deadline-late" "rpc.deadline" []
        "a call is ended DEADLINE_EXCEEDED 1.5 s after its deadline";
    DeadlineCancelled "rpc-deadline-cancelled" "rpc.deadline-status" []
        "a call past its deadline ends CANCELLED";
    DeadlineOk "rpc-deadline-ok" "rpc.deadline-status" []
        "a stream past its deadline ends OK";
    Limit4MiB "rpc-limit-4mib" "rpc.message-size" []
        "a request above 4 MiB is refused";
    Limit48MiB "rpc-limit-48mib" "rpc.message-size" []
        "a request above 48 MiB is refused";
    NoReflection "rpc-no-reflection" "rpc.reflection" []
        "both reflection services are UNIMPLEMENTED";
    ReflectionUnlisted "rpc-reflection-unlisted" "rpc.reflection" []
        "list_services leaves the inventory service out";
    NoHealth "rpc-no-health" "rpc.health" []
        "the health service is UNIMPLEMENTED";
    HealthNotServing "rpc-health-not-serving" "rpc.health" []
        "the health service answers NOT_SERVING";
    NoDetails "rpc-no-details" "rpc.details" []
        "errors carry no details";
    DetailsWrongField "rpc-details-wrong-field" "rpc.details" []
        "BadRequest names the field `id`, whichever was wrong";
    DetailsNoField "rpc-details-no-field" "rpc.details" []
        "BadRequest has a violation without a field";

    // Several connections.
    FreshConnectionStale "replica-fresh-stale" "replica.one-state" []
        "GetProduct over a connection opened after an update answers the product as it was before that update";
    FreshConnectionUnknown "replica-fresh-unknown" "replica.one-state" []
        "GetProduct over a connection opened after a create does not know the product";
    WatchOtherConnection "replica-watch-own-connection" "replica.one-state" ["watch.slow-consumer"]
        "a watch sees only changes made over its own connection";

    // GetProduct.
    GetStale "get-stale" "get.stored" ["update.applied", "update.atomic", "update.only-stock", "replica.one-state"]
        "a read after an update answers from a cache: the product as it was, until it is read the third time";
    GetNoDescription "get-no-description" "get.stored" ["create.stored", "update.only-stock"]
        "GetProduct leaves the description out";
    GetPriceCents "get-price-cents" "get.stored" ["create.stored", "update.only-stock"]
        "GetProduct rounds the price to cents";
    GetUnknownOk "get-unknown-ok" "get.unknown" []
        "an unknown id is answered OK with an empty product";
    GetUnknownInvalid "get-unknown-invalid" "get.unknown" []
        "an unknown id is answered INVALID_ARGUMENT";
    GetUnknownNoStatus "get-unknown-no-status" "get.unknown" []
        "the answer for an unknown id ends without grpc-status";
    GetEmptyIdFirst "get-empty-id-first" "get.empty-id" []
        "an empty id is answered with the first product of the catalogue";
    GetEmptyIdInternal "get-empty-id-internal" "get.empty-id" []
        "an empty id is answered INTERNAL";

    // ListProducts.
    ListCategoryCase "list-category-case" "list.category" []
        "the category is compared without regard to case";
    ListCategoryPrefix "list-category-prefix" "list.category" []
        "a category also lists those that begin with it";
    ListCategoryTrimmed "list-category-trimmed" "list.category" []
        "the category is compared without its surrounding spaces";
    ListCategoryEmptyNone "list-category-empty-none" "list.category" []
        "an empty category lists only products without a category";
    ListInStockIgnored "list-in-stock-ignored" "list.in-stock" ["list.filters-combine", "list.total"]
        "in_stock_only is ignored";
    ListInStockTwo "list-in-stock-two" "list.in-stock" ["list.filters-combine", "list.total"]
        "in_stock_only drops products with a stock of 1";
    ListInStockAtCreation "list-in-stock-at-creation" "list.in-stock" []
        "in_stock_only goes by the stock at creation: drained products stay, refilled ones are missing";
    ListFiltersOr "list-filters-or" "list.filters-combine" ["list.in-stock", "list.total"]
        "with both filters, products that match either are listed";
    ListFiltersInStockWins "list-filters-in-stock-wins" "list.filters-combine" ["list.in-stock", "list.total"]
        "in_stock_only drops the category filter";
    ListFiltersCategoryWins "list-filters-category-wins" "list.filters-combine" ["list.in-stock", "list.total"]
        "a category drops the in_stock_only filter";
    ListPageZeroSecond "list-page-zero-second" "list.page-floor" []
        "page 0 lists the second page";
    ListPageNegativeError "list-page-negative-error" "list.page-floor" []
        "a negative page is INVALID_ARGUMENT";
    ListPageIntMin "list-page-int-min" "list.page-floor" []
        "page -2147483648 overflows and lists nothing";
    ListPageSize101 "list-page-size-101" "list.page-size-clamp" ["list.echo"]
        "the largest page size is 101";
    ListPageSize101Unsaid "list-page-size-101-unsaid" "list.page-size-clamp" []
        "a page size above 100 lists 101 products and says 100";
    ListPageSize99 "list-page-size-99" "list.page-size-clamp" ["list.echo"]
        "the largest page size is 99";
    ListPageSizeZeroTwenty "list-page-size-zero-twenty" "list.page-size-clamp" ["list.echo"]
        "page size 0 means 20";
    ListPageSizeNegativeMax "list-page-size-negative-max" "list.page-size-clamp" ["list.echo"]
        "a negative page size means 100";
    ListEchoRequested "list-echo-requested" "list.echo" []
        "page and page_size of the response are the requested ones, not those in effect";
    ListEchoCount "list-echo-count" "list.echo" []
        "page_size of the response is the number of products on the page";
    ListTotalOfPage "list-total-of-page" "list.total" ["list.past-end"]
        "total_count is the number of products on the page";
    ListTotalOfCategory "list-total-of-category" "list.total" ["list.in-stock", "list.filters-combine"]
        "total_count leaves in_stock_only out of account";
    ListTotalOfRest "list-total-of-rest" "list.total" ["list.past-end"]
        "total_count counts from the listed page on";
    ListPastEndLast "list-past-end-last" "list.past-end" ["list.partition"]
        "a page past the end lists the last page";
    ListPastEndNotFound "list-past-end-not-found" "list.past-end" ["list.partition", "list.total"]
        "a page past the end is NOT_FOUND";
    ListPastEndNoTotal "list-past-end-no-total" "list.past-end" ["list.total"]
        "a page past the end has a total_count of 0";
    ListPastEndWraps "list-past-end-wraps" "list.past-end" []
        "the offset is computed in 32 bits: page 2147483647 wraps around to the first page";
    ListPastEndTwice "list-past-end-twice" "list.past-end" ["list.partition", "list.total"]
        "the answer for a page past the end carries its message twice under one OK";
    ListOverlap "list-overlap" "list.partition" []
        "from the second page on, a page begins with the last product of the page before";
    ListGap "list-gap" "list.partition" []
        "the first product of the second page is left out";
    ListLastRowLost "list-last-row-lost" "list.partition" []
        "the last page, when it is not the first, lacks its last product";
    ListRotates "list-rotates" "list.partition" []
        "each call begins one product further on: the order is not the same from page to page";
    ListSecondPageUnfiltered "list-second-page-unfiltered" "list.partition" ["list.category", "list.past-end"]
        "from the second page on the category is ignored";

    // CreateProduct.
    CreatePriceF32 "create-price-f32" "create.stored" []
        "the price is kept in single precision";
    CreatePriceCents "create-price-cents" "create.stored" []
        "the price is rounded to cents";
    CreateDescriptionTrimmed "create-description-trimmed" "create.stored" []
        "the description loses its surrounding white space";
    CreateDescriptionCut "create-description-cut" "create.stored" []
        "the description is cut after 255 characters";
    CreateNameComposed "create-name-composed" "create.stored" []
        "a letter followed by a combining accent becomes one code point in name and description";
    CreateAstralReplaced "create-astral-replaced" "create.stored" []
        "code points above U+FFFF become question marks";
    CreateStockMaxCut "create-stock-max-cut" "create.stored" ["update.overflow", "update.overflow-status"]
        "a stock above 2147483600 is stored as 2147483600";
    CreateIdFromFields "create-id-from-fields" "create.id" []
        "the id is a hash of everything but the SKU: two products alike in all else share it";
    CreateIdSlug "create-id-slug" "create.id" ["create.stored"]
        "the id of a product whose name has no ASCII letter or digit is empty";
    CreateTimestampsNaive "create-timestamps-naive" "create.timestamps" ["update.only-stock"]
        "created_at and updated_at have no offset until the first update";
    CreateTimestampsBasicOffset "create-timestamps-basic-offset" "create.timestamps" ["update.only-stock"]
        "the offset of created_at and updated_at is written +0000 until the first update";
    CreateUpdatedEmpty "create-updated-empty" "create.timestamps" ["create.timestamps-equal", "update.only-stock"]
        "updated_at is empty until the first update";
    CreateTimestampsDiffer "create-timestamps-differ" "create.timestamps-equal" []
        "updated_at is a millisecond after created_at in a new product";
    CreateDuplicateAccepted "create-duplicate-accepted" "create.sku-unique" ["create.sku-race"]
        "a SKU that exists is accepted again";
    CreateDuplicateOfEmpty "create-duplicate-of-empty" "create.sku-unique" []
        "a SKU is free again while its product has no stock";
    CreateDuplicateOverwrites "create-duplicate-overwrites" "create.sku-unique" ["create.sku-race"]
        "a duplicate is answered ALREADY_EXISTS and overwrites name, price and description all the same";
    CreateDuplicateListed "create-duplicate-listed" "create.sku-unique" []
        "a duplicate is answered ALREADY_EXISTS and listed all the same";
    CreateDuplicateInvalid "create-duplicate-invalid" "create.sku-unique" ["create.sku-race"]
        "a SKU that exists is answered INVALID_ARGUMENT";
    CreateRaceBothWin "create-race-both-win" "create.sku-race" []
        "the SKU is looked up first and taken later: concurrent creates of one SKU all win";
    CreateRaceNoneWins "create-race-none-wins" "create.sku-race" []
        "concurrent creates of one SKU refuse each other and none wins";
    CreateNameEmpty "create-name-empty" "create.invalid-name" ["rpc.details"]
        "an empty name is accepted";
    CreateSkuEmpty "create-sku-empty" "create.invalid-sku" ["rpc.details"]
        "an empty SKU is accepted";
    CreateStockNegative "create-stock-negative" "create.invalid-stock" ["rpc.details"]
        "a negative stock is accepted";
    CreateStockZeroed "create-stock-zeroed" "create.invalid-stock" ["rpc.details"]
        "a negative stock is accepted as 0";
    CreatePriceNegative "create-price-negative" "create.invalid-price" ["rpc.details"]
        "a negative price is accepted";
    CreatePriceNan "create-price-nan" "create.invalid-price" ["rpc.details"]
        "a price that is not a number is accepted";
    CreatePriceInfinite "create-price-infinite" "create.invalid-price" ["rpc.details"]
        "an infinite price is accepted";
    CreateTextNul "create-text-nul" "create.invalid-text" ["rpc.details"]
        "NUL characters are accepted";
    CreateDescriptionNul "create-description-nul" "create.invalid-text" ["rpc.details"]
        "NUL characters are accepted in the description alone";
    CreateInvalidInternal "create-invalid-internal" "create.invalid-sku" ["rpc.details"]
        "an empty SKU is answered INTERNAL";

    // UpdateStock.
    UpdateDrainRefused "update-drain-refused" "update.applied" []
        "a change that leaves exactly 0 is refused";
    UpdateDrainAnswersOld "update-drain-answers-old" "update.applied" []
        "the response to a change that leaves 0 is the product as it was";
    UpdateFifthLost "update-fifth-lost" "update.applied"
        ["get.stored", "update.atomic", "watch.every-change", "watch.order", "replica.one-state"]
        "every fifth update of a product is answered as if applied, and is not";
    UpdateUnknownPrecondition "update-unknown-precondition" "update.unknown" []
        "an unknown id is answered FAILED_PRECONDITION";
    UpdateUnknownOk "update-unknown-ok" "update.unknown" []
        "an unknown id is answered OK with an empty product";
    UpdateBelowZeroByOne "update-below-zero-by-one" "update.never-negative"
        ["update.refused-unchanged", "update.atomic", "watch.refused-silent"]
        "a change that leaves -1 is accepted";
    UpdateClampsToZero "update-clamps-to-zero" "update.never-negative"
        ["update.refused-unchanged", "update.atomic", "watch.refused-silent"]
        "a change that would leave less than 0 is accepted and leaves 0";
    UpdateIntMinAccepted "update-int-min-accepted" "update.never-negative" ["update.refused-unchanged"]
        "a change of -2147483648 passes the check, for its negation is itself";
    UpdateBelowZeroInvalid "update-below-zero-invalid" "update.never-negative" ["update.refused-unchanged", "watch.refused-silent"]
        "a change that would leave less than 0 is answered INVALID_ARGUMENT";
    UpdateRefusedApplied "update-refused-applied" "update.refused-unchanged" ["update.atomic", "get.stored"]
        "a change that would leave less than 0 is refused and drains the stock all the same";
    UpdateRefusedTouches "update-refused-touches" "update.refused-unchanged" []
        "a refused change moves updated_at";
    UpdateRaceLost "update-race-lost" "update.atomic" ["watch.order", "watch.every-change"]
        "the stock is read first and written later: of concurrent updates some are lost";
    UpdateRaceOversells "update-race-oversells" "update.atomic" []
        "the stock is checked first and moved later: concurrent updates take it below 0";
    UpdateCreatedMoves "update-created-moves" "update.only-stock" []
        "an update sets created_at";
    UpdateUpdatedFrozen "update-updated-frozen" "update.only-stock" []
        "an update leaves updated_at as it was";
    UpdateUpdatedBack "update-updated-back" "update.only-stock" []
        "an update that takes stock sets updated_at one hour back";
    UpdatePriceF32 "update-price-f32" "update.only-stock" []
        "an update rounds the price to single precision";
    UpdateDescriptionLost "update-description-lost" "update.only-stock" []
        "an update empties the description";
    UpdateReasonKept "update-reason-kept" "update.only-stock" []
        "an update writes its reason into the description";
    UpdateOverflowWraps "update-overflow-wraps" "update.overflow" ["update.overflow-status"]
        "a result above 2147483647 wraps around";
    UpdateOverflowSaturates "update-overflow-saturates" "update.overflow" ["update.overflow-status"]
        "a result above 2147483647 is accepted and leaves 2147483647";
    UpdateOverflowApplied "update-overflow-applied" "update.overflow" ["update.refused-unchanged"]
        "a result above 2147483647 is refused and leaves 2147483647 all the same";
    UpdateMaxRefused "update-max-refused" "update.overflow" []
        "a result of exactly 2147483647 is refused";
    UpdateOverflowInternal "update-overflow-internal" "update.overflow-status" []
        "a result above 2147483647 is answered INTERNAL";
    UpdateOverflowUnknown "update-overflow-unknown" "update.overflow-status" []
        "a result above 2147483647 is answered UNKNOWN";

    // WatchStockChanges.
    WatchTenthLost "watch-tenth-lost" "watch.every-change" []
        "every tenth update of a watch is not sent";
    WatchRaceLost "watch-race-lost" "watch.every-change" []
        "of updates of one product that overlap in time only one is sent";
    WatchSecondSilent "watch-second-silent" "watch.every-change" ["watch.independent", "watch.slow-consumer", "replica.one-state"]
        "only the oldest watch of a category gets its updates";
    WatchDrainLost "watch-drain-lost" "watch.every-change" ["watch.threshold"]
        "a change to exactly 0 is not sent";
    WatchBothFiltersTwice "watch-both-filters-twice" "watch.exactly-once" ["watch.threshold"]
        "a watch with a category and a threshold gets every update twice";
    WatchFifthTwice "watch-fifth-twice" "watch.exactly-once" []
        "every fifth update of a watch is sent twice";
    WatchFourthLate "watch-fourth-late" "watch.order" ["watch.every-change"]
        "every fourth update of a watch is sent after the one that follows it";
    WatchRaceOrder "watch-race-order" "watch.order" []
        "updates of one product that overlap in time are sent in the wrong order";
    WatchCategoryPrefix "watch-category-prefix" "watch.category" []
        "a watch of a category also gets those that begin with it";
    WatchCategoryCase "watch-category-case" "watch.category" []
        "the category of a watch is compared without regard to case";
    WatchCategoryLost "watch-category-lost" "watch.category" []
        "a watch with a threshold ignores its category";
    WatchCategoryEmptyNone "watch-category-empty-none" "watch.category" []
        "a watch with an empty category gets only products without a category";
    WatchThresholdInclusive "watch-threshold-inclusive" "watch.threshold" []
        "a new quantity equal to the threshold is sent";
    WatchThresholdOld "watch-threshold-old" "watch.threshold" []
        "the threshold is compared with the old quantity";
    WatchThresholdCrossing "watch-threshold-crossing" "watch.threshold" ["watch.category", "watch.exactly-once"]
        "an update is sent only when the quantity falls through the threshold";
    WatchThresholdDrain "watch-threshold-drain" "watch.threshold" []
        "a watch with a threshold gets no change to exactly 0";
    WatchNoName "watch-no-name" "watch.fields" []
        "updates carry no product name";
    WatchSkuAsName "watch-sku-as-name" "watch.fields" []
        "updates carry the SKU as product name";
    WatchOldIsNew "watch-old-is-new" "watch.fields" []
        "updates carry the new quantity as the old one";
    WatchNoTimestamp "watch-no-timestamp" "watch.fields" []
        "updates carry no timestamp";
    WatchReasonCut "watch-reason-cut" "watch.fields" []
        "a reason is cut after 32 characters";
    WatchReasonAscii "watch-reason-ascii" "watch.fields" []
        "a reason loses what is not ASCII";
    WatchDrainIdIsName "watch-drain-id-is-name" "watch.fields" []
        "the update of a change to exactly 0 carries the product name as product id";
    WatchRefusedSent "watch-refused-sent" "watch.refused-silent" []
        "an update refused for leaving less than 0 is sent";
    WatchOverflowSent "watch-overflow-sent" "watch.refused-silent" []
        "an update refused for overflow is sent";
    WatchLastReplayed "watch-last-replayed" "watch.live-only" []
        "a new watch gets the last update of its category first";
    WatchSnapshotFirst "watch-snapshot-first" "watch.live-only" []
        "a new watch of a category gets the current quantity of each of its products first";
    WatchCloseSilences "watch-close-silences" "watch.independent" ["watch.cancel-frees"]
        "closing a watch takes another with the same filter off the list: it stays open and silent";
    WatchCloseEnds "watch-close-ends" "watch.independent" ["watch.cancel-frees", "watch.no-starvation"]
        "closing a watch ends the others of its category";
    WatchEightStarve "watch-eight-starve" "watch.no-starvation" ["watch.cancel-frees", "watch.slow-consumer"]
        "while more than 8 watches are open unary calls wait";
    WatchThirtyTwoStarve "watch-thirty-two-starve" "watch.no-starvation" ["watch.cancel-frees"]
        "while 32 or more watches are open unary calls wait";
    WatchLimitInternal "watch-limit-internal" "watch.no-starvation" ["watch.cancel-frees"]
        "a watch beside 16 open ones is refused with INTERNAL";
    WatchLeakSilent "watch-leak-silent" "watch.cancel-frees" []
        "after 64 cancelled watches of a category a new one never starts";
    WatchLeakUpdates "watch-leak-updates" "watch.cancel-frees" []
        "after 64 cancelled watches of a category its updates hang";
    WatchSlowLoses "watch-slow-loses" "watch.slow-consumer" []
        "a slow reader silently loses updates";
    WatchSlowOk "watch-slow-ok" "watch.slow-consumer" []
        "a slow reader is ended with OK";

    // BulkImport.
    BulkStopsAtBad "bulk-stops-at-bad" "bulk.good-rows-stay" ["bulk.bad-rows-counted", "bulk.bad-rows-named", "bulk.large"]
        "the rows after the first bad one are dropped";
    BulkRollsBack "bulk-rolls-back" "bulk.good-rows-stay" []
        "a bad row undoes the good rows; the counts do not say so";
    BulkLastRowLost "bulk-last-row-lost" "bulk.good-rows-stay"
        ["bulk.bad-rows-counted", "bulk.bad-rows-named", "bulk.duplicate-in-stream", "bulk.large"]
        "the last row is neither stored nor counted";
    BulkFailedZero "bulk-failed-zero" "bulk.bad-rows-counted" ["bulk.duplicate-in-stream", "bulk.large"]
        "failed_count is always 0";
    BulkImportedAll "bulk-imported-all" "bulk.bad-rows-counted" ["bulk.duplicate-in-stream", "bulk.large"]
        "imported_count counts the bad rows too";
    BulkInvalidUncounted "bulk-invalid-uncounted" "bulk.bad-rows-counted" []
        "an invalid row is named and not counted; a duplicate is counted";
    BulkErrorsUnnamed "bulk-errors-unnamed" "bulk.bad-rows-named" []
        "errors name the number of the row in place of its SKU";
    BulkErrorsFirst "bulk-errors-first" "bulk.bad-rows-named" []
        "errors names the first bad row only";
    BulkDuplicateAborts "bulk-duplicate-aborts" "bulk.status-ok"
        ["bulk.bad-rows-counted", "bulk.bad-rows-named", "bulk.duplicate-in-stream", "bulk.large", "bulk.good-rows-stay"]
        "one duplicate turns the whole answer into ALREADY_EXISTS; the rows before it stay";
    BulkInvalidAborts "bulk-invalid-aborts" "bulk.status-ok" ["bulk.bad-rows-counted", "bulk.bad-rows-named", "bulk.good-rows-stay"]
        "one invalid row turns the whole answer into INVALID_ARGUMENT; the rows before it stay";
    BulkLastStatus "bulk-last-status" "bulk.status-ok"
        ["bulk.bad-rows-counted", "bulk.bad-rows-named", "bulk.duplicate-in-stream", "bulk.large", "bulk.good-rows-stay"]
        "all rows are judged, and the status is that of the last bad row";
    BulkDuplicateCounted "bulk-duplicate-counted" "bulk.duplicate-in-stream" ["bulk.large"]
        "the second row with a SKU of the stream is dropped and counted as imported";
    BulkDuplicateWins "bulk-duplicate-wins" "bulk.duplicate-in-stream" ["bulk.large"]
        "the second row with a SKU of the stream overwrites the first and is counted as imported";
    BulkEmptyInvalid "bulk-empty-invalid" "bulk.empty" []
        "an empty stream is INVALID_ARGUMENT";
    BulkEmptyOne "bulk-empty-one" "bulk.empty" []
        "an empty stream counts one failed row";
    BulkFirst512 "bulk-first-512" "bulk.large" []
        "only the first 512 rows are judged";
    BulkLargeRefused "bulk-large-refused" "bulk.large" []
        "a stream of more than 500 rows is RESOURCE_EXHAUSTED";
}
