from __future__ import annotations

import pytest

from proxy.registry import address


@pytest.mark.parametrize(
    "written",
    [
        "2210 State Highway 30", "2210 St Hwy 30", "2210 State Route 30", "2210 SR 30", "2210 SR-30", "2210 S.R. 30",
        "2210 State Rd 30", "2210 Hwy 30", "2210 Route 30", "2210 Rt. 30", "2210 VT-30", "2210 VT Route 30", "2210 US 30",
        "2210 Vermont Highway 30", "2210 U.S. Highway 30", "2210 US-30", "2210 Highway #30", "2210 West Virginia Rte 30",
        "2210 SR 30, Saint Albans, VT 05478", "2210 State Hwy No. 30",
    ],
)  # fmt: skip
def test_a_highway_is_its_number(written: str) -> None:
    """Whatever a highway is called, and whoever keeps it up, a home on it has one form."""
    found = address.street(written)

    assert (found.number, found.core, found.unit) == ("2210", "HWY 30", "")


@pytest.mark.parametrize(
    ("written", "core", "unit"),
    [
        ("415 County Road 12", "COUNTY RD 12", ""),
        ("415 Co Rd 12", "COUNTY RD 12", ""),
        ("415 CR-12", "COUNTY RD 12", ""),
        ("415 County Rd 12-A", "COUNTY RD 12A", ""),
        ("415 CR 12A", "COUNTY RD 12A", ""),
        ("415 Hwy 30-32", "HWY 30", "32"),
        ("415 C.R. 12", "COUNTY RD 12", ""),
        ("415 County Rd. #12", "COUNTY RD 12", ""),
        ("415 County Hwy 12 Lot 3", "COUNTY RD 12", "LOT3"),
        ("415 Farm to Market Road 620", "FM HWY 620", ""),
        ("415 FM 620 Apt 4", "FM HWY 620", "4"),
        ("415 Interstate 10", "INTERSTATE HWY 10", ""),
        ("415 I-10 Frontage Rd", "INTERSTATE HWY 10 FRONTAGE RD", ""),
        ("415 Old State Road 30", "OLD HWY 30", ""),
        ("415 N State Route 30 Apt 4", "N HWY 30", "4"),
        ("415 I St", "I ST", ""),
        ("415 C St NW", "C ST NW", ""),
        ("415 Ohio St", "OHIO ST", ""),
        ("415 State St 5", "STATE ST", "5"),
        ("415 Expressway Dr N", "EXPY DR N", ""),
        ("415 Route Rd", "RTE RD", ""),
        ("415 S 12th St", "S 12 ST", ""),
    ],
)
def test_roads_of_other_keepers_are_others(written: str, core: str, unit: str) -> None:
    """County, farm and township roads and interstates have their own form, and what only begins like one is a street."""
    found = address.street(written)

    assert (found.number, found.core, found.unit) == ("415", core, unit)


@pytest.mark.parametrize(
    ("written", "core"),
    [
        ("PO Box 152", "PO BOX"), ("P.O.B. 152", "PO BOX"), ("POB 152", "PO BOX"), ("POBox 152", "PO BOX"),
        ("PO BOX #152", "PO BOX"), ("P. O. Box No. 0152", "PO BOX"), ("Box 152", "PO BOX"), ("PO Drawer 152", "PO BOX"),
        ("Post Office Box 152", "PO BOX"), ("RR 2 Box 152", "RR 2"), ("R.R. 2, Box 152", "RR 2"), ("RR2 Box 152", "RR 2"),
        ("RR #2 Box 152", "RR 2"), ("Rural Route 2 Box 152", "RR 2"), ("Rt 2 Box 152", "RR 2"), ("RFD 2 Box 152", "RR 2"),
        ("RD 02 Bx 152", "RR 2"), ("RR 2 #152", "RR 2"), ("Box 152 RR 2", "RR 2"), ("RR 2 Box 152 Bryan Dairy Rd", "RR 2"),
        ("HC 2 Box 152", "HC 2"), ("HCR 2 Box 152", "HC 2"), ("Highway Contract Route 2 Box 152", "HC 2"),
        ("Star Route 2 Box 152", "HC 2"), ("RR 2-B Box 152", "RR 2B"), ("PO Box 152/3", "PO BOX"),
    ],
)  # fmt: skip
def test_a_box_is_one_home(written: str, core: str) -> None:
    """Boxes of a post office, of rural and of contract routes are read in every spelling of USPS Publication 28."""
    found = address.street(written)

    assert (found.number, found.core, found.unit) == ("152", core, "")


@pytest.mark.parametrize("written", ["Rural Route 2", "Box Elder Lane", "PO Box", "Bin", "Route 2", "Highway 30"])
def test_a_route_without_its_box_is_no_home(written: str) -> None:
    """A route, or a box without a number, is nobody's home."""
    assert address.street(written) == address.NOWHERE


def test_a_town_behind_a_box_or_a_highway_is_the_town() -> None:
    """Of a whole address without commas, what follows the number is the town."""
    found = [address.address(f"{line} Saint Albans VT 05478") for line in ("PO Box 12", "RR 2 Box 12", "12 SR 30")]

    assert [(each.core, each.city) for each in found] == [(core, "ST ALBANS") for core in ("PO BOX", "RR 2", "HWY 30")]
