import { clsx } from 'clsx'
import { Check, Copy } from 'lucide-react'
import { useEffect, useState } from 'react'
import { IconButton } from './button'

/** Copies a text and says so for a moment. */
export function CopyButton({ text, label, className }: { text: string; label: string; className?: string }) {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 1500)
    return () => clearTimeout(timer)
  }, [copied])
  return (
    <IconButton
      label={copied ? 'Copied' : label}
      className={className}
      onClick={() => void copyText(text).then(setCopied)}
    >
      {copied ? <Check className="text-good" /> : <Copy />}
    </IconButton>
  )
}

/** The clipboard exists only on https and localhost; elsewhere a hidden field does it. */
async function copyText(text: string): Promise<boolean> {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    )
  }
  const field = document.createElement('textarea')
  field.value = text
  document.body.append(field)
  field.select()
  const copied = document.execCommand('copy')
  field.remove()
  return copied
}

/** A block of code to be copied. */
export function CodeBlock({ code, label, className }: { code: string; label: string; className?: string }) {
  return (
    <div className={clsx('relative overflow-hidden rounded-lg border border-line bg-sunken text-left', className)}>
      {/* A scrolling region must be reachable with the keyboard. */}
      <pre role="region" aria-label={label} tabIndex={0} className="overflow-x-auto p-3.5 pr-12 font-mono text-[12.5px] leading-relaxed text-ink-2">
        {code}
      </pre>
      {/* Long lines end before the button, not under it. */}
      <div className="absolute top-0 right-0 rounded-bl-lg bg-sunken p-2">
        <CopyButton text={code} label={`Copy ${label}`} />
      </div>
    </div>
  )
}
