// Every application form has an address of its own: its key makes double submit, the back button and reload the same loan.
import { redirect } from 'react-router'
import { newKey } from '../../shared/api.server.ts'

export const loader = () => redirect(`/apply/${newKey()}`)
