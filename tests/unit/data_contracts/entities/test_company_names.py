"""Spellings of one company in Chinese, pinyin and English have the same parts and one key."""

from __future__ import annotations

import pytest

from data_contracts.entities.company_names import normalised_name, parse_company_name
from data_contracts.entities.vocabulary import family_of_forms, legal_forms, regions, trades

# Made names in patterns that registers, invoices and customs declarations use.
ONE_COMPANY = [
    "深圳市华锐贸易有限公司",
    "深圳华锐贸易有限公司",
    "广东省深圳市华锐贸易有限公司",
    "深圳市宝安区华锐贸易有限公司",
    "华锐（深圳）贸易有限公司",
    "华锐贸易(深圳市)有限公司",
    "深圳市華銳貿易有限公司",
    "深圳市 华锐 贸易 有限公司",
    "深圳市华锐商贸有限责任公司",
    "Shenzhen Huarui Trading Co., Ltd.",
    "SHENZHEN HUA RUI TRADING CO.,LTD",
    "Shenzhen City Huarui Trading Company Limited",
    "Huarui Trading (Shenzhen) Limited",
    "shenzhenshi huarui maoyi youxian gongsi",
    "Shen Zhen Shi Hua Rui Mao Yi You Xian Gong Si",
    "Ｓｈｅｎｚｈｅｎ　Ｈｕａｒｕｉ　Ｔｒａｄｉｎｇ　Ｃｏ．，Ｌｔｄ．",
]


@pytest.mark.parametrize("text", ONE_COMPANY)
def test_all_spellings_of_a_company_have_one_region_trade_word_and_key(text: str) -> None:
    name = parse_company_name(text)
    assert (name.region, name.trade, name.key, name.syllables) == ("shenzhen", "trading", "huarui", ("hua", "rui"))


@pytest.mark.parametrize(
    ("text", "region", "trade_name", "trade", "legal_form"),
    [
        ("义乌市恒瑞进出口有限公司", "yiwu", "恒瑞", "import_export", "china_limited"),
        ("浙江义乌恒瑞国际贸易有限公司", "yiwu", "恒瑞", "international trading", "china_limited"),
        ("厦门恒瑞供应链管理股份有限公司", "xiamen", "恒瑞", "supply_chain management", "china_joint_stock"),
        ("杭州恒瑞科技合伙企业（有限合伙）", "hangzhou", "恒瑞", "technology", "partnership"),
        ("东莞市恒瑞五金制品厂", "dongguan", "恒瑞", "hardware products", "factory"),
        ("恒瑞（中国）投资有限公司", "china", "恒瑞", "investment", "china_limited"),
        ("内蒙古自治区恒瑞实业有限公司", "innermongolia", "恒瑞", "industrial", "china_limited"),
        ("恒瑞有限公司", None, "恒瑞", None, "china_limited"),
        ("深圳市恒瑞贸易有陷公司", "shenzhen", "恒瑞", "trading", "china_limited"),
        ("杭州绿源电子商务有限公司", "hangzhou", "绿源", "ecommerce", "china_limited"),
        ("Hong Kong Bright Star Int'l Trading Limited", "hongkong", "bright star", "international trading", "company"),
        ("Hengrui Import and Export (HK) Co., Limited", "hongkong", "hengrui", "import_export", "company"),
        ("Nordlicht Home GmbH", None, "nordlicht", "home", "gmbh"),
        ("Acme Widget Distribution L.L.C.", None, "acme widget", "distribution", "llc"),
        ("Compañía Éxito S.R.L.", None, "compania exito", None, "srl"),
    ],
)
def test_a_name_is_split_into_its_parts(
    text: str, region: str | None, trade_name: str, trade: str | None, legal_form: str | None
) -> None:
    name = parse_company_name(text)
    assert (name.region, name.trade_name, name.trade, name.legal_form) == (region, trade_name, trade, legal_form)


def test_a_second_city_in_a_name_belongs_to_the_trade_name() -> None:
    assert parse_company_name("深圳市金华贸易有限公司").trade_name == "金华"
    assert parse_company_name("吉林森贸易有限公司").trade_name == "吉林森"


def test_a_syllable_that_is_also_a_legal_or_trade_word_stays_in_the_trade_name() -> None:
    assert parse_company_name("Qingdao Sheng Zhuo Feng Shiye Youxian Gongsi").key == "shengzhuofeng"
    assert parse_company_name("Guangzhou Yun Tong Xin Shiye Youxian Gongsi").key == "yuntongxin"


def test_the_umlaut_u_has_one_key_in_all_its_spellings() -> None:
    spellings = ("绿源贸易有限公司", "Lvyuan Trading Ltd", "Lüyuan Trading Ltd", "Lyuyuan Trading Ltd")
    assert {parse_company_name(text).key for text in spellings} == {"luyuan"}


def test_letters_that_are_not_pinyin_have_a_key_but_no_syllables() -> None:
    name = parse_company_name("Bright Star Trading Ltd")
    assert (name.key, name.syllables) == ("brightstar", ())


@pytest.mark.parametrize(
    "text", ["", " ", "()", "（）", "有限公司", "Ltd", "深圳", "深圳市", "Shenzhen", "!!!", "贸易", "🛒"]
)
def test_a_text_that_is_hardly_a_name_is_parsed_without_error(text: str) -> None:
    name = parse_company_name(text)
    assert name.trade_name or name.region or not normalised_name(text).strip("()")


def test_every_word_of_the_tables_is_written_as_names_are_normalised() -> None:
    for words in (regions().words, trades(), legal_forms()):
        assert all(normalised_name(text) == text for text in (*words.chinese, *words.latin))


def test_every_legal_form_has_a_family_and_every_city_a_province() -> None:
    assert family_of_forms().keys() == {*legal_forms().chinese.values(), *legal_forms().latin.values()}
    assert all(regions().within[city] for city in regions().cities)


def test_a_city_agrees_with_its_province_and_country_and_with_no_other_city() -> None:
    agree = regions().agree
    assert agree("shenzhen", "guangdong")
    assert agree("china", "shenzhen")
    assert agree("shenzhen", "shenzhen")
    assert not agree("shenzhen", "guangzhou")
    assert not agree("shenzhen", "zhejiang")
    assert not agree("china", "hongkong")
