// The page where people register themselves.
import { html } from './html.ts'
import { type FieldErrors, field, notice, page, summary } from './page.ts'

export type RegisterPage = {
  readonly uid: string
  /** Names this registration: sent twice, it is one. */
  readonly key: string
  readonly answers: Readonly<Record<string, string>>
  readonly errors: FieldErrors
  /** What is wrong with no single field. */
  readonly error?: string | undefined
}

export const registerPage = ({ uid, key, answers, errors, error }: RegisterPage): string =>
  page(
    `${error !== undefined || Object.keys(errors).length > 0 ? 'Please correct: ' : ''}Create an account`,
    html`<article class="narrow">
      <h1>Create an account</h1>
      ${notice(error)}
      ${summary(errors)}
      <form method="post" action="/sign-in/${uid}/register" novalidate class="questions">
        <input type="hidden" name="key" value="${key}">
        ${field({ name: 'name', label: 'Full name', value: answers.name, autocomplete: 'name' }, errors)}
        ${field(
          {
            name: 'userName',
            label: 'User name',
            hint: 'You sign in with it. It cannot be changed.',
            value: answers.userName,
            autocomplete: 'username',
          },
          errors,
        )}
        ${field(
          { name: 'email', label: 'E-mail address', type: 'email', value: answers.email, autocomplete: 'email' },
          errors,
        )}
        ${field(
          {
            name: 'password',
            label: 'Password',
            type: 'password',
            hint: 'At least 12 characters. A few words that nobody would guess are good.',
            autocomplete: 'new-password',
          },
          errors,
        )}
        <p class="actions">
          <button type="submit" class="button">Create account</button>
          <a href="/sign-in/${uid}">I have an account</a>
        </p>
      </form>
    </article>`,
  )
