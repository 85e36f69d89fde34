"""Registered company names (region, trade name, trade, legal form), made from syllable lists of our own.

A company's name depends only on its number in the world, so districts need no knowledge of one another. No two
companies up to a million have the same name, but many are close: the same trade name in two trades, one different
syllable, or one brand for all companies of a control group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Word(NamedTuple):
    """A word in its four spellings."""

    simplified: str
    traditional: str
    pinyin: str
    english: str = ""


# Pinyin are all different, so a name in Latin letters, syllable by syllable, stays unique.
SYLLABLES: tuple[Word, ...] = tuple(
    Word(*characters.split())
    for characters in (
        "恒 恆 heng", "瑞 瑞 rui", "通 通 tong", "达 達 da", "鑫 鑫 xin", "盛 盛 sheng", "嘉 嘉 jia", "远 遠 yuan",
        "华 華 hua", "泰 泰 tai", "宏 宏 hong", "博 博 bo", "诚 誠 cheng", "凯 凱 kai", "润 潤 run", "丰 豐 feng",
        "联 聯 lian", "隆 隆 long", "德 德 de", "美 美 mei", "康 康 kang", "云 雲 yun", "兴 興 xing", "顺 順 shun",
        "利 利 li", "百 百 bai", "昌 昌 chang", "明 明 ming", "天 天 tian", "海 海 hai", "金 金 jin", "卓 卓 zhuo",
        "创 創 chuang", "优 優 you", "耀 耀 yao", "晨 晨 chen", "思 思 si", "科 科 ke", "维 維 wei", "安 安 an",
        "邦 邦 bang", "宝 寶 bao", "彩 彩 cai", "东 東 dong", "飞 飛 fei", "富 富 fu", "冠 冠 guan", "光 光 guang",
        "浩 浩 hao", "和 和 he", "辉 輝 hui", "吉 吉 ji", "健 健 jian", "江 江 jiang", "景 景 jing", "乐 樂 le",
        "林 林 lin", "迈 邁 mai", "诺 諾 nuo", "普 普 pu", "奇 奇 qi", "森 森 sen", "尚 尚 shang", "拓 拓 tuo",
    )
)  # fmt: skip
# Characters that sound or look alike and are mistaken for each other.
CONFUSED: dict[str, str] = {
    "恒": "衡", "瑞": "锐", "通": "同", "达": "大", "鑫": "新", "盛": "胜", "嘉": "佳", "远": "源", "华": "花",
    "宏": "鸿", "博": "搏", "诚": "城", "丰": "峰", "联": "连", "隆": "龙", "康": "慷", "兴": "星", "利": "力",
    "昌": "畅", "明": "铭", "金": "今", "优": "尤", "晨": "辰", "科": "可", "维": "唯", "宝": "保", "彩": "采",
    "飞": "非", "富": "福", "光": "广", "浩": "皓", "辉": "晖", "健": "建", "景": "境", "林": "琳", "奇": "琪",
    "贸": "货", "易": "昜", "技": "枝", "商": "啇", "限": "陷",
}  # fmt: skip
TRADES: tuple[Word, ...] = (
    Word("贸易", "貿易", "maoyi", "Trading"),
    Word("电子商务", "電子商務", "dianzi shangwu", "E-Commerce"),
    Word("科技", "科技", "keji", "Technology"),
    Word("进出口", "進出口", "jinchukou", "Import & Export"),
    Word("国际贸易", "國際貿易", "guoji maoyi", "International Trading"),
    Word("供应链管理", "供應鏈管理", "gongyinglian guanli", "Supply Chain Management"),
    Word("实业", "實業", "shiye", "Industrial"),
    Word("家居用品", "家居用品", "jiaju yongpin", "Home Products"),
    Word("服饰", "服飾", "fushi", "Garments"),
    Word("玩具", "玩具", "wanju", "Toys"),
    Word("电子", "電子", "dianzi", "Electronics"),
    Word("户外用品", "戶外用品", "huwai yongpin", "Outdoor Products"),
)
# Trades of the further companies of a control group with one brand.
SIBLING_TRADES: tuple[Word, ...] = (
    Word("网络科技", "網絡科技", "wangluo keji", "Network Technology"),
    Word("品牌管理", "品牌管理", "pinpai guanli", "Brand Management"),
    Word("信息技术", "信息技術", "xinxi jishu", "Information Technology"),
    Word("国际物流", "國際物流", "guoji wuliu", "International Logistics"),
    Word("文化创意", "文化創意", "wenhua chuangyi", "Culture & Creative"),
)
LEGAL_FORMS: tuple[Word, ...] = (
    Word("有限公司", "有限公司", "youxian gongsi", "Co., Ltd."),
    Word("有限责任公司", "有限責任公司", "youxian zeren gongsi", "Co., Ltd."),
    Word("股份有限公司", "股份有限公司", "gufen youxian gongsi", "Corporation Limited"),
)
_FORM_OF_TEN = (0, 0, 0, 0, 0, 0, 1, 1, 1, 2)


class Region(NamedTuple):
    """A city and the code of its registration authority (GB/T 2260)."""

    word: Word
    code: str


REGIONS: tuple[Region, ...] = (
    Region(Word("深圳", "深圳", "shenzhen"), "440300"), Region(Word("广州", "廣州", "guangzhou"), "440100"),
    Region(Word("义乌", "義烏", "yiwu"), "330782"), Region(Word("杭州", "杭州", "hangzhou"), "330100"),
    Region(Word("宁波", "寧波", "ningbo"), "330200"), Region(Word("厦门", "廈門", "xiamen"), "350200"),
    Region(Word("青岛", "青島", "qingdao"), "370200"), Region(Word("东莞", "東莞", "dongguan"), "441900"),
    Region(Word("泉州", "泉州", "quanzhou"), "350500"), Region(Word("郑州", "鄭州", "zhengzhou"), "410100"),
)  # fmt: skip
_ENTITY_FORMS = (
    "TRADING LLC", "INC", "DISTRIBUTION GMBH", "HOME GMBH", "COMMERCE SARL", "IMPORT SRL", "RETAIL SL", "SUPPLY LTD",
)  # fmt: skip
_SHORT_OF_TEN = 3  # of ten companies, those with a trade name of two syllables; the others have three
# Primes: multiplication permutes the numbers below any smaller number of names.
_MULTIPLIERS = {2: 2_654_435_761, 3: 3_266_489_917}
_OFFSET = 374_761_393
_GROUP_ENTITIES = 10_000_000  # overseas entities above this number belong to control groups
_MOST_SELLERS = 1_000_000


@dataclass(frozen=True)
class CompanyName:
    """The parts of a Chinese company's name."""

    region: Region
    brand: tuple[Word, ...]
    trade: Word
    form: Word

    def chinese(self) -> str:
        """Return the registered name: ``深圳市恒瑞通贸易有限公司``."""
        brand = "".join(word.simplified for word in self.brand)
        return f"{self.region.word.simplified}市{brand}{self.trade.simplified}{self.form.simplified}"


def company_name(number: int) -> CompanyName:
    """Return the registered name of a company by its number, from 1; names are distinct up to a million."""
    tens, place = divmod(number, 10)
    if place < _SHORT_OF_TEN:
        syllables, index = 2, tens * _SHORT_OF_TEN + place
    else:
        syllables, index = 3, tens * (10 - _SHORT_OF_TEN) + place - _SHORT_OF_TEN
    space = len(SYLLABLES) ** syllables * len(TRADES) * len(REGIONS)
    rest, region = divmod((index * _MULTIPLIERS[syllables] + _OFFSET) % space, len(REGIONS))
    rest, trade = divmod(rest, len(TRADES))
    form = LEGAL_FORMS[_FORM_OF_TEN[(rest + tens) % len(_FORM_OF_TEN)]]
    return CompanyName(REGIONS[region], _brand(rest, syllables), TRADES[trade], form)


def sibling_name(name: CompanyName, place: int) -> CompanyName:
    """Return the name of a control group's further company (``place`` from 1), which has the first company's brand."""
    return CompanyName(name.region, name.brand, SIBLING_TRADES[(place - 1) % len(SIBLING_TRADES)], LEGAL_FORMS[0])


def _brand(number: int, syllables: int) -> tuple[Word, ...]:
    words = []
    for _ in range(syllables):
        number, place = divmod(number, len(SYLLABLES))
        words.append(SYLLABLES[place])
    return tuple(words)


def entity_name(number: int) -> str:
    """Return the name of an overseas entity by its number (``simulator.observation.overseas_entities.sold_to``).

    Example: ``HENG RUI TONG TRADING LLC``.
    """
    index = number if number < _GROUP_ENTITIES else _MOST_SELLERS + number - _GROUP_ENTITIES
    space = len(SYLLABLES) ** 3 * len(_ENTITY_FORMS)
    rest, form = divmod((index * _MULTIPLIERS[2] + _OFFSET) % space, len(_ENTITY_FORMS))
    words = " ".join(word.pinyin.upper() for word in _brand(rest, 3))
    return f"{words} {_ENTITY_FORMS[form]}"


_ORGANISATION_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_ORGANISATION_CHECKS = "0123456789X"
_CREDIT_DIGITS = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # without I, O, S, V, Z


def organisation_check(body: str) -> str:
    """Return the check digit of the 8 characters of an organisation code (GB 11714-1997)."""
    weighed = zip(body, _ORGANISATION_WEIGHTS, strict=True)
    total = sum(_ORGANISATION_DIGITS.index(sign) * weight for sign, weight in weighed)
    return _ORGANISATION_CHECKS[-total % len(_ORGANISATION_CHECKS)]


def credit_check(body: str) -> str:
    """Return the check character of a unified social credit code's first 17 (GB 32100-2015): powers of 3 modulo 31."""
    total = sum(_CREDIT_DIGITS.index(sign) * pow(3, place, 31) for place, sign in enumerate(body))
    return _CREDIT_DIGITS[-total % 31]


def credit_code(number: int) -> str:
    """Return a company's unified social credit code: market supervision, enterprise, region, organisation, check."""
    organisation = f"M{number:07d}"
    body = f"91{company_name(number).region.code}{organisation}{organisation_check(organisation)}"
    return body + credit_check(body)
