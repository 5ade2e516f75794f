import { Play } from 'lucide-react'
import type { FormEvent } from 'react'
import { useMemo, useState } from 'react'
import type { Agent } from '@/lib/api/agents'
import { formFaults } from '@/lib/faults'
import { navigate } from '@/lib/router'
import { initialTexts, placesOf, readTexts, schemaFields } from '@/lib/schema-form'
import { Panel } from '@/ui/bits'
import { Button } from '@/ui/button'
import { ErrorState } from '@/ui/feedback'
import { SchemaFields, TextArea } from '@/ui/fields'
import { Field, Input } from '@/ui/form'
import { agentRunLink } from './agents-screen'
import { useAgentCommands } from './use-agents'

/** Starts a run with what the agent asks for: a message or the fields of its input schema, and the places of its instructions. */
export function RunBox({ agent }: { agent: Agent }) {
  const { start } = useAgentCommands()
  const fields = useMemo(() => schemaFields(agent.inputSchema), [agent.inputSchema])
  const places = useMemo(() => placesOf(agent.instructions ?? ''), [agent.instructions])
  const [message, setMessage] = useState('')
  const [texts, setTexts] = useState(() => initialTexts(fields))
  const [session, setSession] = useState('')
  const [variables, setVariables] = useState<Record<string, string>>({})
  const [unread, setUnread] = useState<Record<string, string>>({})
  const shown = [...(fields.length ? fields.map(({ name }) => `input.${name}`) : ['input', 'input.message']), ...places.map((name) => `variables.${name}`), 'sessionId']
  const faults = formFaults(start.error, shown)

  function submit(event: FormEvent) {
    event.preventDefault()
    const read = readTexts(fields, texts)
    setUnread(read.faults)
    if (Object.keys(read.faults).length > 0) return
    const input = fields.length ? read.values : { message: message.trim() }
    const given = Object.fromEntries(places.map((name) => [name, variables[name] ?? '']))
    start.mutate({ agentId: agent.id, input, ...(places.length && { variables: given }), ...(session.trim() && { sessionId: session.trim() }) }, { onSuccess: (run) => navigate(agentRunLink(run.id)) })
  }

  const stopped = agent.status === 'inactive' || agent.status === 'archived'
  return (
    <Panel title="Run it" aside={<span className="text-[13px] text-ink-3">{stopped ? `It is ${agent.status}, and cannot be run.` : 'Its steps are shown as they happen.'}</span>}>
      <form onSubmit={submit} aria-label="Run it" className="space-y-4 p-4 pt-2">
        {places.length > 0 && (
          <div className="grid gap-4 sm:grid-cols-2">
            {places.map((name) => (
              <Field key={name} label={name} hint="A place in its instructions." error={faults.at(`variables.${name}`)}>
                {(props) => <Input {...props} required value={variables[name] ?? ''} onChange={(e) => setVariables({ ...variables, [name]: e.target.value })} />}
              </Field>
            ))}
          </div>
        )}
        {fields.length > 0 ? (
          <SchemaFields fields={fields} texts={texts} onChange={setTexts} faultAt={(name) => unread[name] ?? faults.at(`input.${name}`)} />
        ) : (
          <Field label="Message to the agent" error={faults.at('input.message') ?? faults.at('input')}>
            {(props) => <TextArea {...props} required rows={2} placeholder="What should it do?" value={message} onChange={(e) => setMessage(e.target.value)} />}
          </Field>
        )}
        <details open={Boolean(faults.at('sessionId'))}>
          <summary className="w-fit rounded text-[13px] text-ink-3 select-none hover:text-ink">In a session</summary>
          <div className="mt-2">
            <Field label="Session" error={faults.at('sessionId')} hint="Uid of one: what was said in it is shown to the model, and input and answer are added to it.">
              {(props) => <Input {...props} className="font-mono text-[13px]" value={session} onChange={(e) => setSession(e.target.value)} />}
            </Field>
          </div>
        </details>
        {faults.rest && <ErrorState compact error={start.error} />}
        <div className="flex justify-end">
          <Button look="primary" type="submit" disabled={stopped || start.isPending || (fields.length === 0 && message.trim() === '')}>
            <Play /> {start.isPending ? 'Starting…' : 'Run'}
          </Button>
        </div>
      </form>
    </Panel>
  )
}
