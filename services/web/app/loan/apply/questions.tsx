// The application's questions, with what is not right about the answers at the top and at each field.
import { useState } from 'react'
import { type AnswerErrors, type Answers, checkAnswers, type Question, questions, readAnswers } from './answers.ts'

const typing: Readonly<Record<Question, React.InputHTMLAttributes<HTMLInputElement>>> = {
  name: { autoComplete: 'name' },
  address: { autoComplete: 'street-address' },
  nationalId: { autoComplete: 'off', autoCapitalize: 'characters', spellCheck: false, className: 'short' },
  amount: { autoComplete: 'off', inputMode: 'decimal', className: 'short' },
}

const ErrorSummary = ({ errors }: { errors: AnswerErrors }) => {
  const wrong = questions.filter(({ name }) => errors[name] !== undefined)
  if (wrong.length === 0) return null
  return (
    // biome-ignore lint/a11y/noAutofocus: whoever cannot see the page hears first what to correct
    <div className="summary" role="alert" tabIndex={-1} autoFocus>
      <h2>{wrong.length === 1 ? 'One answer needs another look' : `${wrong.length} answers need another look`}</h2>
      <ul>
        {wrong.map(({ name }) => (
          <li key={name}>
            <a href={`#${name}`}>{errors[name]}</a>
          </li>
        ))}
      </ul>
    </div>
  )
}

export const Questions = ({ answers, errors: told }: { answers: Answers; errors: AnswerErrors }) => {
  const [errors, setErrors] = useState(told)

  /** Leaving a field checks it; while one types, a complaint goes away as soon as it no longer holds, and none appears. */
  const recheck = (form: HTMLFormElement, name: Question, leaving: boolean) => {
    const now = readAnswers(new FormData(form))
    if (leaving ? now[name].trim() === '' : errors[name] === undefined) return
    const checked = checkAnswers(now)
    const error = 'errors' in checked ? checked.errors[name] : undefined
    setErrors(({ [name]: _, ...others }) => (error === undefined ? others : { ...others, [name]: error }))
  }

  const isWrong = Object.keys(told).length > 0
  return (
    <article className="narrow">
      <title>{`${isWrong ? 'Please correct: ' : ''}Apply for a loan · Headwater`}</title>
      <p className="kicker">Step 1 of 2</p>
      <h1>Apply for a loan</h1>
      <ErrorSummary errors={told} />
      <form method="post" noValidate className="questions">
        {questions.map(({ name, label, hint }) => (
          <div key={name} className="field" data-wrong={errors[name] !== undefined || undefined}>
            <label htmlFor={name}>{label}</label>
            <p id={`${name}-hint`} className="hint">
              {hint}
            </p>
            {errors[name] !== undefined && (
              <p id={`${name}-error`} className="error">
                {errors[name]}
              </p>
            )}
            <input
              id={name}
              name={name}
              defaultValue={answers[name]}
              required
              aria-invalid={errors[name] !== undefined}
              aria-describedby={errors[name] === undefined ? `${name}-hint` : `${name}-hint ${name}-error`}
              {...typing[name]}
              // Not on the way to a button: what appears would move it from under the pointer.
              onBlur={({ currentTarget: { form }, relatedTarget }) =>
                form && !(relatedTarget instanceof HTMLButtonElement) && recheck(form, name, true)
              }
              onInput={({ currentTarget: { form } }) => form && recheck(form, name, false)}
            />
          </div>
        ))}
        <p className="actions">
          <button type="submit" className="button">
            Check your answers
          </button>
          <span className="quiet">Nothing is sent yet.</span>
        </p>
      </form>
    </article>
  )
}
