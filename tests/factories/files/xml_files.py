"""Small XML files, among them messages of Chinese customs. All numbers, codes and names are invented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

CEB = "http://www.chinaport.gov.cn/ceb"
DECLARATION = "http://www.chinaport.gov.cn/dec"


def elements(content: Any, prefix: str = "") -> str:  # noqa: ANN401 - text, or a mapping of names to such content
    """Return the content of an element; a list under a name repeats the element for each member."""
    if not isinstance(content, Mapping):
        return escape(str(content))
    pairs = [(name, one) for name, value in content.items() for one in (value if isinstance(value, list) else [value])]
    return "".join(f"<{prefix}{name}>{elements(one, prefix)}</{prefix}{name}>" for name, one in pairs)


def xml_file(root: str, content: Mapping[str, Any], namespace: str | None = None) -> bytes:
    """Return a whole file; elements of the customs namespace have the prefix ``ceb``, those of others none."""
    prefix = "ceb:" if namespace == CEB else ""
    declared = "" if namespace is None else f' xmlns{":ceb" if prefix else ""}="{namespace}"'
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}<{prefix}{root}{declared}>{elements(content, prefix)}</{prefix}{root}>".encode()


def declaration_message(items: Sequence[Mapping[str, str]], **cells: str) -> bytes:
    """Return an export declaration in XML."""
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
    """Return an item of an export declaration in XML."""
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


Content = dict[str, Any]


def _sending(guid: str, cells: Mapping[str, str]) -> Content:
    return {"guid": guid, "appType": "1", "appTime": "20230301093000", "appStatus": "2", **cells}


def order_record(number: str = "O1", total: str = "30.00", items: Sequence[str] = ("30.00",), **cells: str) -> Content:
    """Return a CEB303 order whose items have the values ``items``."""
    head = {
        "orderType": "E",
        "orderNo": number,
        "ebpCode": "3100000001",
        "ebcCode": "3100000002",
        "goodsValue": total,
        "freight": "2.50",
        "currency": "502",
        **cells,
    }
    lines = [
        {"gnum": str(place), "itemName": "lamp", "qty": "1", "totalPrice": value}
        for place, value in enumerate(items, start=1)
    ]
    return {"OrderHead": _sending(f"GUID-{number}", head), "OrderList": lines}


def receipt_record(order: str = "O1", paid: str = "30.00", **cells: str) -> Content:
    """Return a CEB403 receipt."""
    given = {
        "ebpCode": "3100000001",
        "ebcCode": "3100000002",
        "orderNo": order,
        "payNo": f"P-{order}",
        "charge": paid,
        "currency": "502",
        "accountingDate": "20230301100000",
        **cells,
    }
    return _sending(f"GUID-P-{order}", given)


def waybill_record(number: str = "W1", weight: str = "1.2", **cells: str) -> Content:
    """Return a CEB505 waybill."""
    given = {
        "logisticsCode": "3100000003",
        "logisticsNo": number,
        "freight": "5",
        "insuredFee": "0",
        "currency": "142",
        "grossWeight": weight,
        **cells,
    }
    return _sending(f"GUID-{number}", given)


def list_record(
    number: str = "1", order: str = "O1", waybill: str = "W1", items: Sequence[str] = ("30.00",), **cells: str
) -> Content:
    """Return a CEB603 list whose items have the values ``items``."""
    head = {
        "customsCode": "2225",
        "ebpCode": "3100000001",
        "orderNo": order,
        "logisticsCode": "3100000003",
        "logisticsNo": waybill,
        "copNo": f"COP{number}",
        "invtNo": list_number(number),
        "ieFlag": "E",
        "ieDate": "20230303",
        "statisticsFlag": "A",
        "ebcCode": "3100000002",
        "tradeMode": "9610",
        "grossWeight": "1.2",
        **cells,
    }
    lines = [
        {"gnum": str(place), "gcode": "9405000000", "currency": "502", "qty": "1", "totalPrice": value}
        for place, value in enumerate(items, start=1)
    ]
    return {"InventoryHead": _sending(f"GUID-COP{number}", head), "InventoryList": lines}


def list_number(number: str) -> str:
    """Return the number that customs assigns to a list."""
    return f"22252023E{int(number):09}"


def summary_record(entry: str, lists: Sequence[str], **cells: str) -> Content:
    """Return a CEB792 response on lists combined into one declaration, each with two items."""
    head = {
        "guid": f"GUID-{entry}",
        "sumNo": "222520230000000007",
        "opDate": "20230310120000000",
        "entryId": entry,
        "ebcCode": "3100000002",
        **cells,
    }
    lines = [{"invtNo": list_number(number), "gnum": item} for number in lists for item in ("1", "2")]
    return {"SummaryResultHead": head, "SummaryResultList": lines}


_RECORD_NAMES = {"303": "Order", "403": "Receipts", "505": "Logistics", "603": "Inventory", "792": "SummaryResult"}


def ceb_message(kind: str, *records: Content) -> bytes:
    """Return a message of Chinese cross-border e-commerce; ``kind`` is its number, such as 303."""
    envelope = {"copCode": "3100000002", "dxpMode": "DXP"}
    content = {_RECORD_NAMES[kind]: list(records), "BaseTransfer": envelope}
    return xml_file(f"CEB{kind}Message", content, CEB)
