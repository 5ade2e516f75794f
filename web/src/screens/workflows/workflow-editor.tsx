import { useId, useMemo, useRef, useState } from 'react'
import type { Tagged } from '@/lib/api/client'
import { hasMovedOn } from '@/lib/api/client'
import type { Problem, Workflow } from '@/lib/api/workflows'
import type { Definition, Fault, Format } from '@/lib/definition'
import { drawingOf, readDefinition, writeYaml } from '@/lib/definition'
import { useEditing } from '@/lib/editing'
import { faultsOf, formFaults } from '@/lib/faults'
import { useSettled, useTitle } from '@/lib/hooks'
import { navigate } from '@/lib/router'
import type { EditorHandle } from '@/ui/code-editor'
import { CodeEditor } from '@/ui/code-editor'
import { Badge, Panel } from '@/ui/bits'
import { ErrorState } from '@/ui/feedback'
import { Field, Input, Segments, Select } from '@/ui/form'
import { FormPage, FormSection } from '@/ui/form-page'
import { OthersSaves } from '@/ui/moved-on'
import { examples } from './examples'
import { Graph } from './graph'
import { useProblems, useSaveWorkflow, workflowPath } from './use-workflows'
import { workflowLink } from './workflows-screen'

const statuses = ['active', 'draft', 'published', 'archived']
const ownFields = ['name', 'description', 'status']

/** The parts of a definition that are written as text. */
const parts = ['nodes', 'edges', 'inputSchema', 'outputSchema', 'config'] as const

const render = (value: unknown, format: Format) => (format === 'json' ? JSON.stringify(value, null, 2) : writeYaml(value, { lineWidth: 0 }))

function textOf(workflow: Workflow): string {
  const given = parts.map((key) => [key, workflow[key]] as const).filter(([key, value]) => key === 'nodes' || key === 'edges' || (value && Object.keys(value).length > 0))
  return render(Object.fromEntries(given.map(([key, value]) => [key, value ?? []])), 'yaml')
}

const draftOf = (workflow: Workflow | undefined) => ({
  name: workflow?.name ?? '',
  description: workflow?.description ?? '',
  status: workflow?.status ?? 'active',
  text: workflow ? textOf(workflow) : (examples[0]?.text ?? ''),
})

/** Writes a workflow as text, checked by the server as one types and drawn beside it. */
export default function WorkflowEditor({ workflow }: { workflow?: Tagged<Workflow> }) {
  const title = workflow ? `Edit ${workflow.name}` : 'New workflow'
  useTitle(title)
  const editing = useEditing(workflow, draftOf)
  const { base, draft, set } = editing
  const { text } = draft
  const save = useSaveWorkflow()
  const settled = useSettled(text, 300)
  const definition = useMemo(() => readDefinition(settled), [settled])
  const problems = useProblems(definition.value)
  // What was refused is about the text that was sent, not about what it has become since.
  const [sent, setSent] = useState('')
  const refused = save.isError && settled === sent ? Object.entries(faultsOf(save.error)).filter(([field]) => !ownFields.includes(field)) : []
  const faults = faultsIn(definition, [...(problems.data ?? []), ...refused.map(([field, message]) => ({ field, message }))])
  const own = formFaults(save.error, ownFields)

  function submit(over = base) {
    const now = readDefinition(text)
    if (!now.value) return
    // What is taken out of the text is taken away from the workflow.
    const gone = workflow ? Object.fromEntries(parts.filter((part) => !(part in (now.value ?? {}))).map((part) => [part, null])) : {}
    setSent(text)
    const written = { ...gone, ...now.value, name: draft.name.trim(), description: draft.description.trim(), status: draft.status }
    save.mutate({ base: over, draft: written }, { onSuccess: (saved) => navigate(workflowLink(saved.id)) })
  }

  return (
    <FormPage
      wide
      trail={[{ to: 'workflows', label: 'Workflows' }, ...(workflow ? [{ to: workflowLink(workflow.id), label: workflow.name }] : [])]}
      title={title}
      lead={workflow ? 'What it does becomes its next version; runs that go on keep theirs.' : 'Nodes, and edges that say what comes after what.'}
      action={workflow ? 'Save' : 'Create workflow'}
      pending={save.isPending}
      // What is about the definition is said beside it.
      error={own.rest && refused.length === 0 && !hasMovedOn(save.error) ? save.error : undefined}
      notice={base && <OthersSaves noun="workflow" path={workflowPath(base.id)} editing={editing} save={save} onOverwrite={submit} />}
      onSubmit={() => submit()}
      onCancel={() => navigate(workflow ? workflowLink(workflow.id) : 'workflows')}
    >
      <FormSection title="What it is">
        <div className="grid gap-4 md:grid-cols-[minmax(0,1fr)_minmax(0,2fr)_10rem]">
          <Field label="Name" error={own.at('name')}>
            {(props) => <Input {...props} required maxLength={200} placeholder="Unique in the workspace" value={draft.name} onChange={(e) => set('name', e.target.value)} />}
          </Field>
          <Field label="Description" error={own.at('description')}>
            {(props) => <Input {...props} placeholder="Optional" value={draft.description} onChange={(e) => set('description', e.target.value)} />}
          </Field>
          <Field label="Status" error={own.at('status')}>
            {(props) => (
              <Select {...props} value={draft.status} onChange={(e) => set('status', e.target.value)}>
                {statuses.map((value) => (
                  <option key={value}>{value}</option>
                ))}
              </Select>
            )}
          </Field>
        </div>
      </FormSection>
      <DefinitionEditor text={text} onChange={(next) => set('text', next)} definition={definition} faults={faults} isNew={!workflow} />
      {problems.isError && <ErrorState compact error={problems.error} onRetry={() => void problems.refetch()} />}
    </FormPage>
  )
}

/** Everything that is wrong, each once, from the top. */
function faultsIn(definition: Definition, problems: Problem[]): Fault[] {
  if (definition.faults.length > 0) return definition.faults
  const found = new Map(problems.map(({ field, message }) => [`${field} ${message}`, { path: field, message, line: definition.lineOf(field) }]))
  return [...found.values()].toSorted((a, b) => a.line - b.line)
}

interface EditorProps {
  text: string
  onChange: (text: string) => void
  definition: Definition
  faults: Fault[]
  isNew: boolean
}

function DefinitionEditor({ text, onChange, definition, faults, isNew }: EditorProps) {
  const id = useId()
  const editor = useRef<EditorHandle>(null)
  const format: Format = text.trimStart().startsWith('{') ? 'json' : 'yaml'
  // What is typed may not be readable for a while; the picture stays until it is.
  const lastDrawn = useRef(drawingOf({}))
  const drawing = useMemo(() => (definition.value ? drawingOf(definition.value) : lastDrawn.current), [definition])
  lastDrawn.current = drawing
  const perNode = useMemo(() => faultsPerNode(definition, faults), [definition, faults])
  const lines = useMemo(() => new Set(faults.map(({ line }) => line)), [faults])

  function convert(next: Format) {
    const { value } = readDefinition(text)
    if (value) onChange(render(value, next))
  }
  function lineOfNode(node: string): number {
    const nodes = definition.value?.nodes
    const index = Array.isArray(nodes) ? nodes.findIndex((found: { id?: unknown } | null) => found?.id === node) : -1
    return definition.lineOf(`nodes[${index}]`)
  }

  return (
    <div className="grid gap-4 xl:grid-cols-2">
      <div className="min-w-0 space-y-3">
        <div className="flex flex-wrap items-center gap-2">
          <label htmlFor={id} className="mr-auto font-medium">
            Definition
          </label>
          {isNew && (
            <Select aria-label="Example" value="" onChange={(e) => onChange(examples[Number(e.target.value)]?.text ?? text)} className="w-44">
              <option value="" disabled>
                Begin with…
              </option>
              {examples.map(({ label }, index) => (
                <option key={label} value={index}>
                  {label}
                </option>
              ))}
            </Select>
          )}
          <Segments
            label="Format"
            value={format}
            options={[
              { value: 'yaml', label: 'YAML' },
              { value: 'json', label: 'JSON' },
            ]}
            onChange={convert}
          />
        </div>
        <CodeEditor id={id} handle={editor} value={text} onChange={onChange} faulty={lines} aria-describedby={`${id}-faults`} {...(faults.length > 0 && { 'aria-invalid': true })} />
        <div id={`${id}-faults`} role="status" className="space-y-1.5">
          {faults.length === 0 ? (
            <Badge tone="good">Nothing to mend</Badge>
          ) : (
            <ul aria-label="Faults" className="max-h-64 overflow-y-auto rounded-lg bg-bad-soft p-1.5 text-bad">
              {faults.map((fault) => (
                <li key={`${fault.path} ${fault.message}`}>
                  <button type="button" onClick={() => editor.current?.goTo(fault.line)} className="w-full rounded px-2 py-1 text-left break-words hover:underline">
                    <span className="tabular">Line {fault.line}</span> {fault.path && <code className="font-mono text-[13px] font-semibold">{fault.path}</code>} {fault.message}
                  </button>
                </li>
              ))}
            </ul>
          )}
        </div>
      </div>
      <Panel title="Preview" aside={<span className="text-[13px] text-ink-3">{drawing.nodes.length} nodes, {drawing.edges.length} edges</span>} className="self-start">
        {drawing.nodes.length > 0 ? (
          <Graph label="Preview of the graph" nodes={drawing.nodes} edges={drawing.edges} faults={perNode} selected="" onSelect={(node) => editor.current?.goTo(lineOfNode(node))} />
        ) : (
          <p className="px-4 pb-4 text-ink-3">It appears with the first node.</p>
        )}
      </Panel>
    </div>
  )
}

/** Faults are counted at the node that their path leads through. */
function faultsPerNode(definition: Definition, faults: Fault[]): Map<string, number> {
  const counts = new Map<string, number>()
  const nodes = definition.value?.nodes
  for (const { path } of faults) {
    const index = /^nodes\[(\d+)\]/.exec(path)?.[1]
    const node: unknown = index !== undefined && Array.isArray(nodes) ? nodes[Number(index)] : undefined
    const id = typeof node === 'object' && node !== null ? (node as { id?: unknown }).id : undefined
    if (typeof id === 'string') counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}
