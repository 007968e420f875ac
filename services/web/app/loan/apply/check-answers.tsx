// The answers as they will be sent, for a last look.
import { eurosText } from '../loan.ts'
import { type Answers, type LoanInput, questions } from './answers.ts'

type Props = { readonly answers: Answers; readonly input: LoanInput; readonly trouble?: 'not sent' }

export const CheckAnswers = ({ answers, input, trouble }: Props) => {
  const shown = { ...input, amount: eurosText(input.amount) }
  return (
    <article className="narrow">
      <title>Check your answers · Headwater</title>
      <p className="kicker">Step 2 of 2</p>
      <h1>Check your answers</h1>
      {trouble && (
        // biome-ignore lint/a11y/noAutofocus: whoever cannot see the page hears first that it was not sent
        <div className="summary" role="alert" tabIndex={-1} autoFocus>
          <h2>We could not send it just now</h2>
          <p>Your answers are all here. Please try again in a moment: sending twice never makes two applications.</p>
        </div>
      )}
      <dl className="answers">
        {questions.map(({ name, label }) => (
          <div key={name}>
            <dt>{name === 'amount' ? 'Amount' : label}</dt>
            <dd>{shown[name]}</dd>
          </div>
        ))}
      </dl>
      <form method="post">
        {questions.map(({ name }) => (
          <input key={name} type="hidden" name={name} value={answers[name]} />
        ))}
        <p className="agreement">
          By sending this you agree that we ask the credit bureau about you. You can withdraw until it is decided.
        </p>
        <p className="actions">
          <button type="submit" name="do" value="send" className="button">
            Send application
          </button>
          <button type="submit" name="do" value="change" className="link">
            Change answers
          </button>
        </p>
      </form>
    </article>
  )
}
