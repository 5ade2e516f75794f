import { clsx } from 'clsx'
import type { KeyboardEvent, Ref } from 'react'
import { useImperativeHandle, useMemo, useRef } from 'react'

/** What the height of a line is; the numbers beside the text rely on it. */
const lineHeight = 20

export interface EditorHandle {
  /** Puts the caret at the beginning of a line, from 1. */
  goTo: (line: number) => void
}

interface Props {
  id: string
  value: string
  onChange: (value: string) => void
  /** Lines that have faults, from 1. */
  faulty: Set<number>
  handle: Ref<EditorHandle>
  'aria-describedby'?: string
  'aria-invalid'?: true
}

/** A plain text area with numbered lines: everything that a browser, a reader or a phone can do with a text works. */
export function CodeEditor({ id, value, onChange, faulty, handle, ...described }: Props) {
  const area = useRef<HTMLTextAreaElement>(null)
  const gutter = useRef<HTMLDivElement>(null)
  const count = useMemo(() => value.split('\n').length, [value])
  useImperativeHandle(handle, () => ({
    goTo(line) {
      const field = area.current
      if (!field) return
      const offset = field.value.split('\n').slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0)
      field.focus()
      field.setSelectionRange(offset, offset)
      field.scrollTop = Math.max(0, (line - 5) * lineHeight)
    },
  }))
  return (
    <div className="field flex h-[30rem]! overflow-hidden p-0! has-[textarea:focus-visible]:outline-2 has-[textarea:focus-visible]:outline-accent">
      <div aria-hidden className="tabular w-11 shrink-0 overflow-hidden border-r border-line bg-sunken py-2 text-right font-mono text-xs text-ink-3 select-none">
        <div ref={gutter}>
          {Array.from({ length: count }, (_, index) => (
            <div key={index} style={{ height: lineHeight, lineHeight: `${lineHeight}px` }} className={clsx('pr-2', faulty.has(index + 1) && 'bg-bad-soft font-semibold text-bad')}>
              {index + 1}
            </div>
          ))}
        </div>
      </div>
      <textarea
        id={id}
        ref={area}
        wrap="off"
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={keepIndent}
        onScroll={(event) => {
          if (gutter.current) gutter.current.style.transform = `translateY(${-event.currentTarget.scrollTop}px)`
        }}
        style={{ lineHeight: `${lineHeight}px` }}
        className="min-w-0 flex-1 resize-none overflow-auto bg-transparent px-3 py-2 font-mono text-[13px] focus-visible:outline-none"
        {...described}
      />
    </div>
  )
}

/** A new line begins where the one before did. Tab stays what it is everywhere: the way out of the field. */
function keepIndent(event: KeyboardEvent<HTMLTextAreaElement>) {
  if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
  const field = event.currentTarget
  const before = field.value.slice(0, field.selectionStart)
  const indent = /(?:^|\n)([ ]*(?:- )?)[^\n]*$/.exec(before)?.[1]?.replace('-', ' ')
  if (!indent) return
  event.preventDefault()
  // The browser's own insertion is the one that can be undone.
  document.execCommand('insertText', false, `\n${indent}`)
}
