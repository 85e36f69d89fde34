from __future__ import annotations

from pipelines.score_codes import code_in_words, codes_in_lines, codes_page, score_codes


def test_a_code_about_a_feature_names_it_in_both_languages_and_reads_well_without_it() -> None:
    assert code_in_words("out_of_range", "Sales", "en") == "Sales: a value far outside the range seen in training"
    assert code_in_words("out_of_range", "", "en") == "A value far outside the range seen in training"
    assert code_in_words("out_of_range", "销售额", "zh") == "销售额：取值远超训练样本的取值范围"
    assert code_in_words("of_another_version", "", "en") == "of_another_version"


def test_every_code_is_on_the_page_and_in_the_terminal_with_status_meaning_and_remedy() -> None:
    for language in ("en", "zh"):
        page, lines = codes_page(language), codes_in_lines(language)
        assert len(lines) == 3 * len(score_codes())
        for code, said in score_codes().items():
            (row,) = [line for line in page.splitlines() if line.startswith((f"| `{code}`", f"| `{code}:…`"))]
            assert said.meaning.of(language) in row
            assert said.remedy.of(language) in row
            assert {said.meaning.of(language), said.remedy.of(language)} <= {line.strip() for line in lines}
