// Signing out: the question before, and the page after.
import { html } from './html.ts'
import { page } from './page.ts'

/** @param form the provider's, with what proves that this page was asked; its id is what the buttons name */
export const signOutPage = (form: string): string =>
  page(
    'Sign out',
    html`<article class="narrow">
      <h1>Sign out of Headwater?</h1>
      <p class="lead">You will be signed out everywhere in this browser.</p>
      ${{ html: form }}
      <p class="actions">
        <button class="button" type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>
        <button class="button plain" type="submit" form="op.logoutForm">Stay signed in</button>
      </p>
    </article>`,
  )

export const signedOutPage = (): string =>
  page(
    'Signed out',
    html`<article class="narrow">
      <h1>You are signed out</h1>
      <p class="lead">Close this window if others use this computer, too.</p>
    </article>`,
  )
