// An application that cannot be taken, said kindly and without details of any other.
import { Link } from 'react-router'

export const refusalCodes = ['application_already_open', 'loan_already_requested', 'idempotency_key_reused'] as const
export type RefusalCode = (typeof refusalCodes)[number]

const texts: Readonly<Record<RefusalCode, { readonly title: string; readonly text: string; readonly next: string }>> = {
  application_already_open: {
    title: 'You have an application that is still open',
    text: 'We look at one application a person at a time. As soon as the open one is decided, or you withdraw it, you are welcome to apply again. Its page, whose address you were given when you applied, shows how it stands.',
    next: 'If you have not applied, please tell us: somebody may have used your national id.',
  },
  loan_already_requested: {
    title: 'This form can no longer be sent',
    text: 'Sending it took so long that we closed it, so that nothing could be counted twice. No application was made of it.',
    next: 'Please fill in a new form. It takes about two minutes.',
  },
  idempotency_key_reused: {
    title: 'This form was sent already',
    text: 'Your application is with us as it was first sent; what you changed since is not part of it. Its page shows how it stands.',
    next: 'To ask for something else, withdraw it there and fill in a new form.',
  },
}

export const Refused = ({ code }: { code: RefusalCode }) => {
  const { title, text, next } = texts[code]
  return (
    <article className="narrow">
      <title>{`${title} · Headwater`}</title>
      <h1>{title}</h1>
      <p className="lead">{text}</p>
      <p>{next}</p>
      <p className="actions">
        <Link className="button" to="/">
          To the start
        </Link>
        <a href="/apply">A new form</a>
      </p>
    </article>
  )
}
