"""Small XML files, among them messages of Chinese customs. No number, code or name in them is anybody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

CEB = "http://www.chinaport.gov.cn/ceb"
DECLARATION = "http://www.chinaport.gov.cn/dec"


def elements(content: Any, prefix: str = "") -> str:  # noqa: ANN401 - text, or a mapping of names to such content
    """What stands in an element; a list under a name gives the element again for each of its members."""
    if not isinstance(content, Mapping):
        return escape(str(content))
    pairs = [(name, one) for name, value in content.items() for one in (value if isinstance(value, list) else [value])]
    return "".join(f"<{prefix}{name}>{elements(one, prefix)}</{prefix}{name}>" for name, one in pairs)


def xml_file(root: str, content: Mapping[str, Any], namespace: str | None = None) -> bytes:
    """A whole file; with a namespace its elements carry the prefix ``ceb``, or none for any other than customs'."""
    prefix = "ceb:" if namespace == CEB else ""
    declared = "" if namespace is None else f' xmlns{":ceb" if prefix else ""}="{namespace}"'
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}<{prefix}{root}{declared}>{elements(content, prefix)}</{prefix}{root}>".encode()


def declaration_message(items: Sequence[Mapping[str, str]], **cells: str) -> bytes:
    """An export declaration in XML."""
    head = {
        "IEFlag": "E",
        "EntryId": "222520230000000001",
        "OverseasConsigneeEname": "Lamp House Ltd.",
        "AgentName": "Harbour Agents",
        "CustomMaster": "2225",
        "IEDate": "20230305",
        "TradeMode": "9710",
        "TransMode": "3",
        "GrossWet": "13.00000",
        **cells,
    }
    lists = {"DecList": list(items)} if items else {}
    return xml_file("DecMessage", {"DecHead": head, "DecLists": lists, "DecSign": {"OperType": "G"}}, DECLARATION)


def declared_item(number: str, **cells: str) -> dict[str, str]:
    """An item of an export declaration in XML."""
    return {
        "GNo": number,
        "CodeTS": "0901210000",
        "GQty": "10",
        "FirstQty": "12.5",
        "FirstUnit": "035",
        "DeclTotal": "1500.00",
        "TradeCurr": "USD",
        "OriginCountry": "CHN",
        "DestinationCountry": "DEU",
        **cells,
    }
