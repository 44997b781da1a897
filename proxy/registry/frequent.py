"""Names that say little by themselves, since many people have them: public statistics, no names of anybody."""

from __future__ import annotations

from typing import Final

_SURNAMES: Final = """
smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson anderson thomas
taylor moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis robinson walker young allen king
wright scott torres nguyen hill flores green adams nelson baker hall rivera campbell mitchell carter roberts gomez phillips
evans turner diaz parker cruz edwards collins reyes stewart morris morales murphy cook rogers gutierrez ortiz morgan cooper
peterson bailey reed kelly howard ramos kim cox ward richardson watson brooks chavez wood james bennett gray mendoza ruiz
hughes price alvarez castillo sanders patel myers long ross foster jimenez
"""
_GIVEN_NAMES: Final = """
james robert john michael david william richard joseph thomas christopher charles daniel matthew anthony mark donald steven
andrew paul joshua kenneth kevin brian timothy ronald jason george edward jeffrey ryan jacob nicholas gary eric jonathan
mary patricia jennifer linda elizabeth barbara susan jessica karen sarah lisa nancy sandra betty ashley emily kimberly
margaret donna michelle carol amanda melissa deborah stephanie rebecca laura helen sharon cynthia kathleen amy shirley
angela maria jose juan luis carlos
"""

SURNAMES: Final = frozenset(_SURNAMES.split())
"""The hundred most frequent of the 2010 census (U.S. Census Bureau, Frequently Occurring Surnames)."""
GIVEN_NAMES: Final = frozenset(_GIVEN_NAMES.split())
"""Among the most frequent of the last hundred years (U.S. Social Security Administration)."""
