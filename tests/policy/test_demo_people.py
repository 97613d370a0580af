"""The made-up people of the demo country: no two have the same mail address."""

from __future__ import annotations

from kulla.portal.sign_in.addresses import normal_mail
from kulla.tower.country import FAMILY, GIVEN, STAFF, mail_of, person_name


def test_each_made_up_person_has_an_address_of_their_own_that_a_form_takes():
    count = 3 * len(GIVEN) * len(FAMILY)
    mails = [mail_of(person_name(number), number) for number in range(count)]
    mails += [mail_of(name, number) for number, (name, _, _) in enumerate(STAFF)]
    assert len(set(mails)) == len(mails)
    assert all(normal_mail(mail) == mail and mail.isascii() for mail in mails)
    assert mail_of("Teuta Çela-Demo", 46) == "teuta.cela@demo.example"
    assert mail_of("Teuta Çela-Demo", 46 + 288) == "teuta.cela2@demo.example"


def test_nobody_on_the_staff_bears_a_citizens_name():
    citizens = {person_name(number) for number in range(len(GIVEN) * len(FAMILY))}
    assert not citizens & {name for name, _, _ in STAFF}
