import type { FormEvent } from 'react'
import { useMemo, useState } from 'react'
import type { Workflow } from '@/lib/api/workflows'
import { formFaults } from '@/lib/faults'
import { readObject } from '@/lib/json'
import { navigate } from '@/lib/router'
import { initialTexts, readTexts, schemaFields } from '@/lib/schema-form'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { ErrorState } from '@/ui/feedback'
import { SchemaFields, TextArea } from '@/ui/fields'
import { Field } from '@/ui/form'
import { useRunCommands } from './use-workflows'
import { workflowLink } from './workflows-screen'

/** Starts a run: with the fields of the workflow's input schema, or with a JSON object where it has none. */
export function StartDialog({ workflow, onClose }: { workflow: Workflow; onClose: () => void }) {
  const { start } = useRunCommands(workflow.id)
  const fields = useMemo(() => schemaFields(workflow.inputSchema), [workflow.inputSchema])
  const [texts, setTexts] = useState(() => initialTexts(fields))
  const [text, setText] = useState('{}')
  const [unread, setUnread] = useState<Record<string, string>>({})
  const faults = formFaults(start.error, fields.length ? fields.map(({ name }) => `inputs.${name}`) : ['inputs'])

  function submit(event: FormEvent) {
    event.preventDefault()
    const typed = readObject(text)
    const read = fields.length ? readTexts(fields, texts) : { values: typed.value, faults: typed.fault ? { '': typed.fault } : {} }
    setUnread(read.faults)
    if (Object.keys(read.faults).length === 0) start.mutate(read.values, { onSuccess: (run) => navigate(workflowLink(workflow.id, run.runId)) })
  }

  return (
    <Dialog
      open
      onClose={onClose}
      title={`Run ${workflow.name}`}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="run-form" disabled={start.isPending}>
            {start.isPending ? 'Starting…' : 'Run'}
          </Button>
        </>
      }
    >
      <form id="run-form" onSubmit={submit} className="space-y-4">
        {fields.length > 0 ? (
          <SchemaFields fields={fields} texts={texts} onChange={setTexts} faultAt={(name) => unread[name] ?? faults.at(`inputs.${name}`)} />
        ) : (
          <Field label="Inputs" hint="A JSON object." error={unread[''] ?? faults.at('inputs')}>
            {(props) => <TextArea {...props} mono rows={9} value={text} onChange={(e) => setText(e.target.value)} />}
          </Field>
        )}
        {faults.rest && <ErrorState compact error={start.error} />}
      </form>
    </Dialog>
  )
}
