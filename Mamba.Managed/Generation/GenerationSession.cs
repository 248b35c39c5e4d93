using System.Runtime.InteropServices;
using Mamba.Managed.Models;

namespace Mamba.Managed.Generation;

/// <summary>A text being generated: the model's state, the sampler, and the tokens so far. It is passive: it never calls an executor.</summary>
/// <remarks>
/// <code>
/// tokens:  | prompt ............ | generated ..... | last |
///          | State has seen these, Position of them | Waiting |
/// </code>
/// The driver of a session, for example <see cref="TextGenerator"/>, feeds <see cref="Waiting"/> to <see cref="State"/> through an executor and
/// passes the logits of the last token to <see cref="Accept"/>, which chooses the next one. A session can be forked, saved, and restored: it then
/// continues with the same random numbers and the same text. Beside its state it takes four bytes a token and, with penalties, about thirty for
/// each distinct token. A session is used by one thread at a time.
/// </remarks>
public sealed class GenerationSession : IDisposable
{
    private readonly Sampler sampler;
    private readonly List<int> tokens;

    // Where prompts and generated tokens alternate: [p, q, r] means a prompt up to token p, generated tokens up to q, a prompt up to r, and generated
    // tokens after it.
    private readonly List<int> turns;
    private int isDriven;

    /// <summary>A session of a new text, or of one that continues from a state.</summary>
    /// <param name="state">Has seen the first <see cref="SequenceState.Position"/> of <paramref name="tokens"/>. The session disposes it.</param>
    /// <param name="options">How tokens are chosen.</param>
    /// <param name="vocabularySize">Ids from this on, the padding of the model's vocabulary, are never chosen.</param>
    /// <param name="tokens">The text so far, none of it generated; empty for a new text.</param>
    /// <exception cref="ArgumentException">An option or a token is out of range, or the state has seen more tokens than there are.</exception>
    public GenerationSession(SequenceState state, GenerationOptions options, int vocabularySize, ReadOnlySpan<int> tokens = default)
        : this(state, new Sampler(options, vocabularySize), [.. tokens], [])
    {
        CheckIds(tokens);
        if (state.Position > tokens.Length)
        {
            Throw.Argument(
                Throw.Invariant($"expected a state that has seen at most the {tokens.Length} tokens of the text, found one that has seen {state.Position}"), nameof(state));
        }

        Count(0);
    }

    internal GenerationSession(SequenceState state, Sampler sampler, List<int> tokens, List<int> turns)
    {
        ArgumentNullException.ThrowIfNull(state);
        (State, this.sampler, this.tokens, this.turns) = (state, sampler, tokens, turns);
    }

    /// <summary>How tokens are chosen.</summary>
    public GenerationOptions Options => sampler.Options;

    /// <summary>The seed in use: that of the options, or a random one.</summary>
    public ulong Seed => sampler.Seed;

    /// <summary>Ids below this may be chosen.</summary>
    public int VocabularySize => sampler.VocabularySize;

    /// <summary>The text so far: what was appended and what was generated.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(tokens);

    /// <summary>The model's state after all tokens except <see cref="Waiting"/>.</summary>
    public SequenceState State { get; }

    /// <summary>The tokens that the state has not seen yet, to be fed next.</summary>
    /// <exception cref="InvalidOperationException">The state has been given tokens that are not the session's.</exception>
    public ReadOnlySpan<int> Waiting => State.Position <= tokens.Count
        ? Tokens[(int)State.Position..]
        : throw new InvalidOperationException(Throw.Invariant(
            $"expected a state that has seen at most the {tokens.Count} tokens of the session, found one that has seen {State.Position}; rewind the session"));

    /// <summary>Text that a stream had not returned when it was stopped within a character or a possible stop string; the next stream returns it.</summary>
    internal HeldText Held { get; set; } = HeldText.None;

    /// <summary>Adds tokens to the text; they wait until they are fed.</summary>
    /// <param name="prompt">[tokens]; an empty prompt changes nothing. An id beyond the model's vocabulary is rejected later by the executor.</param>
    /// <exception cref="ArgumentException">An id is negative.</exception>
    public void Append(ReadOnlySpan<int> prompt)
    {
        CheckIds(prompt);
        if (!prompt.IsEmpty)
        {
            int before = tokens.Count;
            Turn(toGenerated: false);
            tokens.AddRange(prompt);
            Count(before);
            Held = HeldText.None;
        }
    }

    /// <summary>Chooses the next token and appends it to the text, to be fed next.</summary>
    /// <param name="logits">[at least <see cref="VocabularySize"/>]: of the last of <see cref="Tokens"/>, which the state has seen.</param>
    /// <param name="scratch">The driver's buffers.</param>
    /// <returns>The token.</returns>
    /// <exception cref="InvalidOperationException">Some tokens were not fed yet, or the text is empty.</exception>
    /// <exception cref="InvalidDataException">The logits are not finite, or every token is forbidden; nothing has changed.</exception>
    public int Accept(ReadOnlySpan<float> logits, SamplerScratch scratch)
    {
        if (tokens.Count == 0 || State.Position != tokens.Count)
        {
            throw new InvalidOperationException(Throw.Invariant(
                $"expected a state that has seen every token, at least one; found {tokens.Count} tokens of which it has seen {State.Position}; append or feed them first"));
        }

        if (logits.Length < VocabularySize)
        {
            Throw.Argument(Throw.Invariant($"expected at least {VocabularySize} logits, found {logits.Length}"), nameof(logits));
        }

        int token = sampler.Sample(logits[..VocabularySize], scratch);
        Turn(toGenerated: true);
        tokens.Add(token);
        return token;
    }

    /// <summary>A copy of the session with the same text, random numbers and counts; both continue independently.</summary>
    /// <param name="state">A new state of the same model, which becomes a copy of this session's; the fork disposes it.</param>
    /// <exception cref="ArgumentException">The state is one of another model.</exception>
    public GenerationSession Fork(SequenceState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        state.CopyFrom(State);
        return new(state, sampler.Copy(), [.. tokens], [.. turns]) { Held = Held };
    }

    /// <summary>Writes the session, with its state, random numbers and counts.</summary>
    /// <param name="stream">The destination.</param>
    /// <param name="fingerprint">The model that the session belongs to.</param>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    public void Save(Stream stream, ModelFingerprint fingerprint) => State.Save(stream, fingerprint, SavedSession.Encode(this));

    /// <summary>Restores a session that <see cref="Save"/> wrote.</summary>
    /// <param name="stream">The source, at the first byte of the saved session.</param>
    /// <param name="fingerprint">The model that the session belongs to.</param>
    /// <param name="state">A new state of that model; the session disposes it. Not changed by a call that throws.</param>
    /// <param name="options">How tokens are chosen from here on; the seed is that of the saved session.</param>
    /// <param name="vocabularySize">Ids from this on are never chosen.</param>
    /// <exception cref="InvalidDataException">The bytes are no saved session, of another version or model, truncated or damaged.</exception>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static GenerationSession Restore(Stream stream, ModelFingerprint fingerprint, SequenceState state, GenerationOptions options, int vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(vocabularySize);
        options.Validate(vocabularySize);
        (byte[] bytes, float[] values, long position) = SavedState.Read(state, stream, fingerprint);
        Throw.Unless(bytes.Length > 0, $"expected a saved session, found a state alone; restore it as one and give its tokens to a new session");
        GenerationSession session = SavedSession.Decode(bytes, state, position, options, vocabularySize);
        state.Import(values, position);
        return session;
    }

    /// <summary>Resets the state, so that all tokens are fed again; the results are the same bits.</summary>
    public void Rewind() => State.Clear();

    /// <inheritdoc/>
    public void Dispose() => State.Dispose();

    /// <summary>Truncates the text to its first tokens; if the state has seen more of them, it is reset, and all of them wait again.</summary>
    /// <param name="count">The number of tokens that stay.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are not as many.</exception>
    public void Withdraw(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, tokens.Count);
        CollectionsMarshal.SetCount(tokens, count);
        turns.RemoveAll(turn => turn >= count);
        sampler.Forget();
        Count(0);
        if (State.Position > count)
        {
            Rewind();
        }
    }

    /// <summary>Marks the session as driven; throws if it is driven already.</summary>
    /// <exception cref="InvalidOperationException">Another stream is continuing this session.</exception>
    internal void Enter()
    {
        if (Interlocked.Exchange(ref isDriven, 1) != 0)
        {
            throw new InvalidOperationException("expected a session that nobody else continues, found one that another stream continues; end that stream first, or fork the session");
        }
    }

    /// <summary>Ends the mark of <see cref="Enter"/>.</summary>
    internal void Leave() => Volatile.Write(ref isDriven, 0);

    internal Sampler Sampler => sampler;

    internal IReadOnlyList<int> Turns => turns;

    internal void Count(int first)
    {
        bool isGenerated = false;
        for (int at = 0, turn = 0; at < tokens.Count; at++)
        {
            for (; turn < turns.Count && turns[turn] == at; turn++)
            {
                isGenerated = !isGenerated;
            }

            if (at >= first)
            {
                sampler.Observe(tokens[at], isGenerated);
            }
        }
    }

    private static void CheckIds(ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
        {
            if (id < 0)
            {
                Throw.Argument(Throw.Invariant($"expected token ids from 0 on, found {id}"), nameof(ids));
            }
        }
    }

    private void Turn(bool toGenerated)
    {
        if ((turns.Count % 2 == 1) != toGenerated)
        {
            turns.Add(tokens.Count);
        }
    }
}
