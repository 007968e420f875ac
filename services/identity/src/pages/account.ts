// The page where people see and change what is known of them here.
import type { ActiveUser } from '../users/users.ts'
import { html } from './html.ts'
import { type FieldErrors, field, notice, page, summary } from './page.ts'

export type AccountPage = {
  readonly user: ActiveUser
  /** Where signing out begins. */
  readonly signOutUrl: string
  readonly done?: string | undefined
  readonly errors: FieldErrors
  readonly error?: string | undefined
  /** What was typed as the new e-mail address. */
  readonly email?: string | undefined
}

export const accountPage = ({ user, signOutUrl, done, errors, error, email }: AccountPage): string =>
  page(
    'Your account',
    html`<article class="narrow">
      <h1>Your account</h1>
      ${notice(done, 'good')}
      ${notice(error)}
      ${summary(errors)}
      <dl class="answers">
        <div><dt>Name</dt><dd>${user.name}</dd></div>
        <div><dt>User name</dt><dd>${user.userName}</dd></div>
        <div><dt>E-mail address</dt><dd>${user.email}</dd></div>
        ${user.roles.length > 0 && html`<div><dt>Roles</dt><dd>${user.roles.join(', ')}</dd></div>`}
      </dl>
      <section aria-labelledby="change-email">
        <h2 id="change-email">Change your e-mail address</h2>
        <form method="post" action="/account/email" novalidate class="questions">
          ${field(
            { name: 'email', label: 'New e-mail address', type: 'email', value: email, autocomplete: 'email' },
            errors,
          )}
          ${field(
            {
              name: 'emailPassword',
              label: 'Your password, to change the address',
              type: 'password',
              autocomplete: 'current-password',
            },
            errors,
          )}
          <p class="actions"><button type="submit" class="button">Change e-mail address</button></p>
        </form>
      </section>
      <section aria-labelledby="change-password">
        <h2 id="change-password">Change your password</h2>
        <form method="post" action="/account/password" novalidate class="questions">
          ${field(
            {
              name: 'currentPassword',
              label: 'Your password until now',
              type: 'password',
              autocomplete: 'current-password',
            },
            errors,
          )}
          ${field(
            {
              name: 'password',
              label: 'New password',
              type: 'password',
              hint: 'At least 12 characters. All other places where you are signed in are signed out.',
              autocomplete: 'new-password',
            },
            errors,
          )}
          <p class="actions"><button type="submit" class="button">Change password</button></p>
        </form>
      </section>
      <p class="actions"><a href="${signOutUrl}">Sign out</a></p>
    </article>`,
  )
