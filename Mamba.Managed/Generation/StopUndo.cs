using System.Text;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Generation;

/// <summary>Takes a stop string out of a session again, so that its text goes on from before it.</summary>
/// <remarks>
/// A stop string may be spread over tokens that the state has seen before the last of them shows that it is one. So the state is copied before the
/// first token of text that may become a stop string is fed; usually it soon does not, and the copy is done with.
/// </remarks>
/// <param name="session">Whose tokens and state.</param>
/// <param name="tokenizer">The model's.</param>
/// <param name="executor">Makes a state for the copy.</param>
internal sealed class StopUndo(GenerationSession session, Tokenizer tokenizer, IMambaExecutor executor) : IDisposable
{
    private readonly StringBuilder kept = new();
    private int first;
    private SequenceState? copy;

    /// <summary>Begins with text that an earlier turn held back: that of the session's last tokens.</summary>
    public void Held(HeldText held)
    {
        int bytes = Encoding.UTF8.GetByteCount(held.Text) + held.Bytes.Length;
        first = session.Tokens.Length;
        int count = 0;
        for (; count < bytes && first > 0; first--)
        {
            count += tokenizer.BytesOf(session.Tokens[first - 1]).Length;
        }

        kept.Clear();
        if (count > bytes)
        {
            kept.Append(Encoding.UTF8.GetString(tokenizer.BytesOf(session.Tokens[first])[..(count - bytes)]));
        }
    }

    /// <summary>Takes note of the session's last token, before whose text some may be held back.</summary>
    /// <param name="text">What it showed to be no stop string.</param>
    /// <param name="start">The text that it begins with, if all text held back is its own; null if some is of tokens before it.</param>
    public void Accept(string text, string? start)
    {
        if (start is not null)
        {
            first = session.Tokens.Length - 1;
            kept.Clear();
        }

        kept.Append(start ?? text);
    }

    /// <summary>Copies the state where the next token to be fed is the first whose text may become a stop string.</summary>
    /// <param name="isSafe">No text may.</param>
    public void Feed(bool isSafe)
    {
        if (!isSafe && session.State.Position == first)
        {
            copy ??= executor.CreateState();
            copy.CopyFrom(session.State);
        }
    }

    /// <summary>A stop string is complete: the session goes back to the text before it.</summary>
    public void Stop()
    {
        if (session.State.Position > first && copy?.Position == first)
        {
            session.State.CopyFrom(copy);
        }

        session.Withdraw(first);
        foreach (int token in kept.Length == 0 ? [] : tokenizer.Encode(kept.ToString(), addSpecialTokens: false))
        {
            session.AddGenerated(token);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => copy?.Dispose();
}
