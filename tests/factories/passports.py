"""A passport's JSON with every optional field, as its page receives it."""

from __future__ import annotations

import copy
from typing import Any

OWN = "urn:seller-pseudonym:5f0c2d9a7b1e4c3f8a6d0e9b2c4f6a8d"
LATE = "urn:seller-pseudonym:21b4ac99" + "7a" * 12
GUARANTOR = "urn:seller-pseudonym:d753e7a2" + "5c" * 12
ACCOUNT = "urn:party-pseudonym:c537433c" + "9e" * 12

PASSPORT: dict[str, Any] = {
    "@context": ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/undefined-terms/v2"],
    "id": "urn:uuid:6e0f7b7e-0d8e-5f6b-9d3b-0c3f6d2a9f11",
    "type": ["VerifiableCredential", "SellerCreditPassport"],
    "issuer": {"id": "did:key:z6MkexampleexampleexampleexampleexampleexamplE", "name": "demo issuer"},
    "validFrom": "2025-07-15T00:00:00Z",
    "validUntil": "2025-10-13T23:59:59Z",
    "credentialSubject": {
        "id": "urn:seller-pseudonym:5f0c2d9a7b1e4c3f8a6d0e9b2c4f6a8d",
        "schema_version": "1.4",
        "pseudonym": "5f0c2d9a7b1e4c3f8a6d0e9b2c4f6a8d",
        "subject_commitment": {"method": "hmac-sha256", "value": "ab" * 32},
        "as_of": "2025-06-30",
        "issued_on": "2025-07-15",
        "valid_until": "2025-10-13",
        "stale_after": "2025-12-27",
        "demonstration": True,
        "evidence": "synthetic world",
        "status": "scored_with_warning",
        "warnings": [
            {
                "code": "out_of_range",
                "feature": "payout_net_sum_90d",
                "en": "Net payouts, last 90 days, lie outside the range seen in training",
                "zh": "近 90 天净回款超出训练样本范围",
            }
        ],
        "assessment": {
            "probability_of_default": "0.031245",
            "probability_of_default_interval": {
                "lower": "0.021200",
                "upper": "0.045100",
                "level": "0.95",
                "method": "calibration",
            },
            "score": "612",
            "grade": "B2",
            "horizon_days": "365",
            "default_definition": {"en": "90 or more days past due within 365 days", "zh": "365 天内逾期 90 天及以上"},
            "scale": {"base_score": "600", "base_odds": "20", "points_to_double_odds": "40"},
        },
        "points": {
            "base": "604",
            "pillars": [
                {
                    "pillar": "sales_health",
                    "points": "17",
                    "en": "Sales health",
                    "zh": "销售健康度",
                    "evidence": {"grade": "single_source", "sources": ["amazon_settlement_v2"]},
                },
                {
                    "pillar": "user_quality",
                    "points": "-9",
                    "en": "User quality",
                    "zh": "用户质量",
                    "evidence": {"grade": "corroborated", "sources": ["shopify_orders", "shop_traffic"]},
                },
                {
                    "pillar": "liquidity",
                    "points": "-4",
                    "en": "Liquidity",
                    "zh": "流动性",
                    "evidence": {"grade": "not_evidenced", "sources": []},
                },
                {"pillar": "related_parties", "points": "4", "en": "Related parties", "zh": "关联方"},
            ],
            "for": [
                {
                    "code": "PAYOUT_NET_SUM_365D",
                    "pillar": "sales_health",
                    "points": "15",
                    "en": "Net payouts, last 365 days",
                    "zh": "近 365 天净回款",
                    "value": "182233.5",
                    "unit": "USD",
                },
                {
                    "code": "RELATED_GROUP_SIZE",
                    "pillar": "related_parties",
                    "points": "4",
                    "en": "Firms in the related group",
                    "zh": "关联集团内企业数",
                    "value": "1",
                    "unit": "count",
                },
            ],
            "against": [
                {
                    "code": "REFUND_RATE_90D",
                    "pillar": "user_quality",
                    "points": "-9",
                    "en": "Refund rate, last 90 days",
                    "zh": "近 90 天退款率",
                    "value": "0.21",
                    "unit": "share",
                },
                {
                    "code": "RESERVE_SHARE_90D",
                    "pillar": "liquidity",
                    "points": "-4",
                    "en": "Reserve share of payouts",
                    "zh": "平台预留占回款比例",
                    "unit": "share",
                },
            ],
            "all_others": "2",
        },
        "claims": [
            {
                "claim": "sales",
                "grade": "corroborated",
                "period_to": "2025-06-30",
                "en": "Sales: platform sales 120,300 USD, over 4 quarter(s) to 2025-06-30",
                "zh": "销售额：平台销售额 120,300 美元，截至 2025-06-30 的 4 个季度",
                "amounts": [
                    {
                        "source": "platform",
                        "verdict": "claimed",
                        "quarters": "4",
                        "usd": "120300.00",
                        "en": "platform sales",
                        "zh": "平台销售额",
                    },
                    {
                        "source": "customs",
                        "verdict": "agrees",
                        "quarters": "4",
                        "usd": "38900.00",
                        "claimed_usd": "120300.00",
                        "lowest_usd": "13533.75",
                        "highest_usd": "150375.00",
                        "en": "export declarations",
                        "zh": "出口报关",
                    },
                ],
            },
            {
                "claim": "cost_of_goods",
                "grade": "not_evidenced",
                "period_to": "2025-06-30",
                "en": "Cost of goods: no source was delivered",
                "zh": "采购成本：没有交付任何来源",
                "amounts": [],
            },
        ],
        "related_parties": [
            {
                "feature": "related_known_default_excess",
                "en": "Excess default rate of related sellers",
                "zh": "关联卖家超额违约率",
                "paths_found": "3",
                "paths": [
                    {
                        "links": [
                            {"from": OWN, "to": ACCOUNT, "link_type": "bank_account", "valid_from": "2022-06-07"},
                            {"from": LATE, "to": ACCOUNT, "link_type": "bank_account", "valid_from": "2020-10-20"},
                        ],
                        "reaches": LATE,
                        "in_default_since": "2024-12-14",
                    }
                ],
            },
            {
                "feature": "guarantee_cycle_flag",
                "en": "Member of a guarantee circle",
                "zh": "处于担保圈",
                "paths_found": "1",
                "paths": [
                    {
                        "links": [
                            {
                                "from": OWN,
                                "to": GUARANTOR,
                                "link_type": "guarantee",
                                "amount_usd": "222000",
                                "valid_from": "2021-03-26",
                            },
                            {"from": GUARANTOR, "to": LATE, "link_type": "guarantee", "valid_from": "2021-04-01"},
                            {
                                "from": LATE,
                                "to": OWN,
                                "link_type": "guarantee",
                                "amount_usd": "21000",
                                "valid_from": "2021-04-23",
                            },
                        ],
                        "reaches": OWN,
                    }
                ],
            },
        ],
        "data_coverage": [
            {
                "source": "amazon_settlement_v2",
                "table": "money_event",
                "period_from": "2023-01-01",
                "period_to": "2025-06-28",
                "deliveries": "3",
            },
            {
                "source": "shopify_orders",
                "table": "site_order",
                "period_from": "2023-01-01",
                "period_to": "2025-06-30",
                "deliveries": "3",
            },
        ],
        "model": {
            "name": "seller-default",
            "version": "3",
            "bundle_sha256": "12" * 32,
            "feature_set": {"name": "demo", "version": "1.0.0", "sha256": "34" * 32},
        },
        "contracts": ["money_event@1.0.0", "site_order@1.0.0"],
        "data_digests": {"features/matrix.parquet": "56" * 32},
    },
    "proof": {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "created": "2025-07-15T00:00:00Z",
        "verificationMethod": "did:key:z6Mk#z6Mk",
        "proofPurpose": "assertionMethod",
        "proofValue": "z3exampleproofvalueexampleproofvalueexampleproofvalue",
    },
}

OPTIONAL_FIELDS = (
    ("credentialSubject", "stale_after"),
    ("credentialSubject", "evidence"),
    ("credentialSubject", "claims"),
    ("credentialSubject", "related_parties"),
    ("credentialSubject", "data_coverage"),
    ("credentialSubject", "contracts"),
    ("credentialSubject", "assessment", "probability_of_default_interval"),
    ("credentialSubject", "assessment", "horizon_days"),
    ("credentialSubject", "assessment", "default_definition"),
    ("credentialSubject", "model", "version"),
    ("issuer", "name"),
    ("proof",),
)


def passport_json() -> dict[str, Any]:
    """Return a fresh copy that a test may change."""
    return copy.deepcopy(PASSPORT)


def without(path: tuple[str, ...]) -> dict[str, Any]:
    """Return the passport without one field."""
    passport = passport_json()
    inside = passport
    for key in path[:-1]:
        inside = inside[key]
    del inside[path[-1]]
    return passport
