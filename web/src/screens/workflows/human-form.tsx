import { Hand } from 'lucide-react'
import { useState } from 'react'
import type { WorkflowNode } from '@/lib/api/workflows'
import { humanChoice } from '@/lib/api/workflows'
import { humanise } from '@/lib/format'
import { Button } from '@/ui/button'
import { ErrorState } from '@/ui/feedback'
import { Field, Input } from '@/ui/form'
import { useRunCommands } from './use-workflows'

interface Props {
  workflow: string
  run: string
  node: WorkflowNode
  /** What the run shows to the person, when it has said so. */
  input: unknown
}

/** The question of a node that waits for a person, and the decisions that can be made. */
export function HumanForm({ workflow, run, node, input }: Props) {
  const { answer } = useRunCommands(workflow)
  const [note, setNote] = useState('')
  const { prompt, decisions } = humanChoice(node)
  const asked = promptOf(input) || prompt
  const decide = (decision: string) => answer.mutate({ run, nodeId: node.id, decision, ...(note.trim() && { payload: { note: note.trim() } }) })
  return (
    <section aria-label={`Decide: ${node.name ?? node.id}`} className="panel border-warn/60 p-4">
      <div className="flex gap-3">
        <Hand aria-hidden className="mt-0.5 size-5 shrink-0 text-warn" />
        <div className="min-w-0 flex-1 space-y-3">
          <div>
            <h2 className="font-medium">{node.name ?? node.id} waits for a decision</h2>
            {asked && <p className="break-words whitespace-pre-wrap text-ink-2">{asked}</p>}
          </div>
          <div className="max-w-md">
            <Field label="Note">{(props) => <Input {...props} value={note} onChange={(e) => setNote(e.target.value)} placeholder="Optional, for what comes after" />}</Field>
          </div>
          <div className="flex flex-wrap gap-2">
            {decisions.map((decision, index) => (
              <Button key={decision} look={index === 0 ? 'primary' : 'secondary'} disabled={answer.isPending} onClick={() => decide(decision)}>
                {humanise(decision)}
              </Button>
            ))}
          </div>
          {answer.isError && <ErrorState compact error={answer.error} />}
        </div>
      </div>
    </section>
  )
}

/** The prompt with its places filled in is what the step works on. */
function promptOf(input: unknown): string {
  if (typeof input !== 'object' || input === null) return ''
  const { prompt } = input as { prompt?: unknown }
  return typeof prompt === 'string' ? prompt : ''
}
