"""The marketplace: find, install, set up, publish."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.console.accessibility import assert_accessible
from tests.console.console import Console
from tests.console.watch import Watch


def test_template_is_found_installed_and_set_up(console: Console, watch: Watch) -> None:
    page = console.open("/marketplace", role="admin")
    page.get_by_role("searchbox").fill("sales")
    page.get_by_role("link", name="Salesforce").click()
    drawer = page.get_by_role("dialog", name="Salesforce")
    expect(drawer.get_by_text("Client secret", exact=True)).to_be_visible()
    expect(drawer.get_by_role("heading", name="Requested access")).to_be_visible()
    assert_accessible(page)
    drawer.get_by_role("button", name="Install").click()
    page.wait_for_url("**/integrations/int_*")
    console.watch.settle(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Salesforce")
    expect(page.get_by_text("To finish the setup, fill in: clientId, clientSecret.")).to_be_visible()
    assert_accessible(page)
    [installed] = console.workspace("GET /api/integrations")["items"]
    callback = f"{console.workspace.stack.url}/api/integrations/{installed['id']}/oauth/callback"
    expect(page.get_by_text(callback)).to_be_visible()

    page.get_by_label("Client ID").fill("3MVG9")
    secret = page.get_by_role("textbox", name="Client secret")
    secret.fill("with a blank ")
    with watch.expecting("response: 422", "console error"):
        page.get_by_role("button", name="Save").click()
        expect(secret).to_have_attribute("aria-invalid", "true")
    secret.fill("s3cret")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Connect account")).to_be_visible()
    page.get_by_role("tab", name="Configuration").click()
    expect(secret).to_have_value("")  # it is stored, and not shown again
    expect(page.get_by_label("Client ID")).to_have_value("3MVG9")

    page.get_by_role("button", name="Publish").click()
    page.get_by_role("dialog", name="Publish Salesforce?").get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Pending review")).to_be_visible()
    assert_accessible(page)


def test_viewer_sees_what_a_listing_needs_and_no_button_to_install_it(console: Console) -> None:
    page = console.open("/marketplace", role="viewer")
    page.get_by_role("searchbox").fill("ActiveCampaign")
    page.get_by_role("link", name="ActiveCampaign").click()
    drawer = page.get_by_role("dialog", name="ActiveCampaign")
    expect(drawer.get_by_text("API key", exact=True)).to_be_visible()
    expect(drawer.get_by_role("button", name="Install")).to_have_count(0)
    page = console.open("/integrations", role="viewer")
    expect(page.get_by_role("button", name="Create integration")).to_have_count(0)
    page = console.open("/connections", role="viewer")
    expect(page.get_by_role("button", name="Connect account")).to_have_count(0)


def test_integration_of_an_unknown_provider_is_created(console: Console) -> None:
    page = console.open("/integrations", role="admin")
    page.get_by_role("button", name="Create integration").click()
    page.get_by_role("combobox", name="Provider").select_option("custom_basic")
    page.get_by_role("textbox", name="Name").fill("Till system")
    assert_accessible(page)
    page.get_by_role("dialog").get_by_role("button", name="Create integration").click()
    page.wait_for_url("**/integrations/int_*")
    console.watch.settle(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Till system")
    page.get_by_role("button", name="Connect account").first.click()
    page.get_by_role("textbox", name="User name").fill("till")
    page.get_by_role("textbox", name="Password").fill("hunter22")
    page.get_by_role("dialog").get_by_role("button", name="Connect account").click()
    expect(page.get_by_role("button", name="default")).to_be_visible()
