// The page where people sign in.
import { demoPassword, demoPeople } from '../users/demo.ts'
import { html } from './html.ts'
import { field, notice, page } from './page.ts'

const demo = () => html`<section aria-labelledby="demo">
  <h2 id="demo">People to try</h2>
  <p class="quiet">This is a demonstration. All of them have the password <code>${demoPassword}</code></p>
  <dl class="answers">
    ${demoPeople.map(
      ({ userName, name, roles }) =>
        html`<div><dt><code>${userName}</code></dt><dd>${name}${roles.length > 0 && `, ${roles.join(', ')}`}</dd></div>`,
    )}
  </dl>
</section>`

export type SignInPage = {
  readonly uid: string
  readonly userName?: string | undefined
  /** What was not right about the last try. */
  readonly error?: string | undefined
  readonly showsDemo: boolean
}

export const signInPage = ({ uid, userName, error, showsDemo }: SignInPage): string =>
  page(
    error === undefined ? 'Sign in' : 'Not signed in',
    html`<article class="narrow">
      <h1>Sign in</h1>
      ${notice(error)}
      <form method="post" action="/sign-in/${uid}" novalidate class="questions">
        ${field({ name: 'userName', label: 'User name', value: userName, autocomplete: 'username' }, {})}
        ${field({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password' }, {})}
        <p class="actions">
          <button type="submit" class="button">Sign in</button>
          <a href="/sign-in/${uid}/register">Create an account</a>
        </p>
      </form>
      ${showsDemo && demo()}
    </article>`,
  )
