using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Models;
using Mamba.Managed.Tests.Tokenizers;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Generation;

/// <summary>Texts from a small random model: streams, reasons to end, sessions that go on.</summary>
public sealed class TextGeneratorTests : IDisposable
{
    private static readonly MambaConfig Config = new() { DModel = 16, NLayer = 2, VocabSize = 256, InitializerRange = 1, TieEmbeddings = false };
    private static readonly GenerationOptions Seeded = new() { MaxTokens = 60, Seed = 3 };

    private readonly CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
    private readonly ByteTokenizer bytes = new();

    public void Dispose() => executor.Dispose();

    [Test]
    public async Task A_stream_is_the_whole_in_pieces()
    {
        TextGenerator generator = new(executor, bytes, Seeded with { LogProbs = 3 });
        List<GeneratedToken> stream = await ToList(generator.StreamAsync("What"));
        GenerationResult whole = await generator.GenerateAsync("What");
        Assert.That(string.Concat(stream.Select(token => token.Text)), Is.EqualTo(whole.Text));
        Assert.That(stream.Select(token => token.Id), Is.EqualTo(whole.Tokens));
        Assert.That(whole.Text, Is.EqualTo(bytes.Decode([.. whole.Tokens])));
        Assert.That(stream.Select(token => token.Summary is not null), Is.EqualTo(Enumerable.Range(0, 60).Select(i => i == 59)));
        Assert.That(whole.FinishReason, Is.EqualTo(FinishReason.Length));
        Assert.That(whole.Summary, Has.Property(nameof(GenerationSummary.PromptTokens)).EqualTo(4).And.Property(nameof(GenerationSummary.GeneratedTokens)).EqualTo(60));
        Assert.That(whole.Summary.GeneratedTokensPerSecond, Is.GreaterThan(0));
        foreach (GeneratedToken token in stream)
        {
            Assert.That(token.Top.Select(top => top.LogProbability), Is.Ordered.Descending);
            Assert.That(token.LogProbability, Is.InRange(float.MinValue, token.Top[0].LogProbability));
            Assert.That(token.Top, Has.Count.EqualTo(3));
        }
    }

    [Test]
    public void Log_probabilities_are_those_of_the_model()
    {
        GenerationSession session = new(executor, Seeded with { Temperature = 0.3f });
        session.Append([1, 2, 3]);
        int token = session.Next();
        LogProbabilities measured = new(256);
        measured.Measure(session.Logits);
        double sum = session.Logits.ToArray().Sum(logit => Math.Exp(logit));
        Assert.That(measured.Of(session.Logits[token]), Is.EqualTo(Math.Log(Math.Exp(session.Logits[token]) / sum)).Within(1e-5));
        int[] ranked = [.. Enumerable.Range(0, 256).OrderByDescending(id => Logit(id)).Take(5)];
        Assert.That(measured.Top(session.Logits, 5).Select(top => top.Id), Is.EqualTo(ranked));

        float Logit(int id) => session.Logits[id];
    }

    [Test]
    public async Task A_seed_fixes_the_text()
    {
        GenerationResult first = await new TextGenerator(executor, bytes, Seeded).GenerateAsync("To be");
        using CpuExecutor threads = new(MambaLanguageModel.Create(Config, 1), 3);
        GenerationResult second = await new TextGenerator(threads, bytes, Seeded).GenerateAsync("To be");
        GenerationResult other = await new TextGenerator(executor, bytes, Seeded with { Seed = 4 }).GenerateAsync("To be");
        Assert.That(second.Text, Is.EqualTo(first.Text));
        Assert.That(other.Text, Is.Not.EqualTo(first.Text));
    }

    [Test]
    public async Task A_stop_string_ends_the_text_before_it()
    {
        GenerationResult free = await new TextGenerator(executor, bytes, Seeded).GenerateAsync("What");
        string stop = free.Text.Substring(20, 3);
        int at = free.Text.IndexOf(stop, StringComparison.Ordinal);
        GenerationResult stopped = await new TextGenerator(executor, bytes, Seeded with { Stop = ["absent", stop] }).GenerateAsync("What");
        Assert.That(stopped.Text, Is.EqualTo(free.Text[..at]));
        Assert.That(stopped.FinishReason, Is.EqualTo(FinishReason.Stop));
        Assert.That(stopped.Tokens, Is.EqualTo(free.Tokens.Take(stopped.Tokens.Count)));
    }

    [Test]
    public async Task An_end_token_ends_the_text_and_is_no_text()
    {
        GenerationResult free = await new TextGenerator(executor, bytes, Seeded).GenerateAsync("What");
        int end = free.Tokens[30];
        int at = free.Tokens.ToList().IndexOf(end);
        GenerationResult ended = await new TextGenerator(executor, bytes, Seeded with { EndTokenIds = [end] }).GenerateAsync("What");
        Assert.That(ended.FinishReason, Is.EqualTo(FinishReason.EndToken));
        Assert.That(ended.Tokens, Is.EqualTo(free.Tokens.Take(at + 1)));
        Assert.That(ended.Text, Is.EqualTo(bytes.Decode([.. free.Tokens.Take(at)])));
    }

    [Test]
    public async Task A_conversation_goes_on_where_it_was()
    {
        TextGenerator generator = new(executor, bytes, Seeded with { Temperature = 0, MaxTokens = 12 });
        GenerationSession session = generator.CreateSession();
        GenerationResult first = await generator.GenerateAsync(session, "One ");
        GenerationResult second = await generator.GenerateAsync(session, " two");
        int[] text = [.. bytes.Encode("One "), .. first.Tokens, .. bytes.Encode(" two"), .. second.Tokens];
        Assert.That(session.Tokens.ToArray(), Is.EqualTo(text));

        GenerationSession fresh = generator.CreateSession();
        fresh.Append(text.AsSpan(0, text.Length - second.Tokens.Count));
        Assert.That(Enumerable.Range(0, 12).Select(_ => fresh.Next()), Is.EqualTo(second.Tokens));
        GenerationResult third = await generator.GenerateAsync(session, "");
        Assert.That(third.Tokens, Is.EqualTo(Enumerable.Range(0, 12).Select(_ => fresh.Next())));
    }

    [Test]
    public async Task A_canceled_stream_leaves_a_session_that_has_seen_what_it_gave_out()
    {
        TextGenerator generator = new(executor, bytes, Seeded with { Temperature = 0 });
        GenerationSession session = generator.CreateSession();
        using CancellationTokenSource source = new();
        List<int> given = [];
        async Task Read()
        {
            await foreach (GeneratedToken token in generator.StreamAsync(session, "Stop me", source.Token))
            {
                given.Add(token.Id);
                if (given.Count == 9)
                {
                    await source.CancelAsync();
                }
            }
        }

        Assert.That(Read, Throws.InstanceOf<OperationCanceledException>());
        int[] expected = [.. bytes.Encode("Stop me"), .. given];
        Assert.That(given, Has.Count.EqualTo(9));
        Assert.That(session.Tokens.ToArray(), Is.EqualTo(expected));
        AssertHasSeen(session, expected);
        GenerationResult rest = await generator.GenerateAsync(session, "");
        GenerationResult whole = await new TextGenerator(executor, bytes, Seeded with { Temperature = 0, MaxTokens = 69 }).GenerateAsync("Stop me");
        Assert.That(given.Concat(rest.Tokens), Is.EqualTo(whole.Tokens));
    }

    [Test]
    public async Task A_prompt_canceled_on_its_way_leaves_the_session_as_it_was()
    {
        TextGenerator generator = new(executor, bytes, Seeded with { MaxTokens = 5 });
        GenerationSession session = generator.CreateSession();
        await generator.GenerateAsync(session, "Some text");
        int[] before = session.Tokens.ToArray();
        GenerationResult canceled = await generator.GenerateAsync(session, new string('x', 3000), new CancellationToken(true));
        Assert.That(canceled.FinishReason, Is.EqualTo(FinishReason.Canceled));
        Assert.That(canceled.Text, Is.Empty);
        Assert.That(canceled.Summary.PromptTokens, Is.Zero);
        Assert.That(session.Tokens.ToArray(), Is.EqualTo(before));
        AssertHasSeen(session, before);
    }

    [Test]
    public async Task An_empty_prompt_needs_a_token_to_begin_from()
    {
        TextGenerator generator = new(executor, bytes, Seeded);
        Assert.That(() => generator.StreamAsync(""), Throws.ArgumentException.With.Message.Contains("empty prompt"));
        Assert.That(() => generator.GenerateAsync(""), Throws.ArgumentException.With.Message.Contains("empty prompt"));

        TextGenerator ended = new(executor, TokenizerTests.Small(), Seeded with { EndTokenIds = [] });
        GenerationResult result = await ended.GenerateAsync("");
        Assert.That(result.Summary.PromptTokens, Is.EqualTo(1));
        Assert.That(result.Tokens, Has.All.LessThan(TokenizerTests.Small().VocabularySize), "padding of the vocabulary is never chosen");
    }

    [Test]
    public void A_tokenizer_must_fit_the_model()
    {
        using CpuExecutor small = new(MambaLanguageModel.Create(Config with { VocabSize = 100 }, 1), 1);
        Assert.That(() => new TextGenerator(small, bytes), Throws.ArgumentException.With.Message.Contains("100"));
    }

    [Test]
    public void A_session_wants_tokens_first_and_a_state_that_agrees()
    {
        Assert.That(() => new GenerationSession(executor, Seeded).Next(), Throws.InvalidOperationException.With.Message.Contains("append some"));
        Assert.That(() => new GenerationSession(executor, Seeded).Append([300]), Throws.ArgumentException);
        Assert.That(() => new GenerationSession(executor, Seeded, 257), Throws.ArgumentException);
        Assert.That(() => new GenerationSession(executor, Seeded, executor.CreateState(), [1, 2]), Throws.ArgumentException.With.Message.Contains("seen 2 tokens"));
    }

    [Test]
    public void A_restored_session_goes_on_as_if_it_had_never_stopped()
    {
        GenerationOptions greedy = Seeded with { Temperature = 0 };
        GenerationSession session = new(executor, greedy);
        session.Append([5, 6, 7]);
        session.Next();
        CpuState copy = executor.CreateState();
        copy.CopyFrom(session.State);
        GenerationSession restored = new(executor, greedy, copy, session.Tokens);
        Assert.That(Enumerable.Range(0, 20).Select(_ => restored.Next()), Is.EqualTo(Enumerable.Range(0, 20).Select(_ => session.Next())));
    }

    [Test]
    public void A_token_allocates_nothing()
    {
        GenerationSession session = new(executor, Seeded with { TopP = 0.9f, RepetitionPenalty = 1.1f });
        session.Append(new int[1000]);
        session.Next();
        long bytes = Allocations.Of(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                session.Next();
            }
        });
        Assert.That(bytes, Is.Zero);
    }

    private static async Task<List<GeneratedToken>> ToList(IAsyncEnumerable<GeneratedToken> stream)
    {
        List<GeneratedToken> tokens = [];
        await foreach (GeneratedToken token in stream)
        {
            tokens.Add(token);
        }

        return tokens;
    }

    private void AssertHasSeen(GenerationSession session, int[] tokens)
    {
        session.Settle();
        CpuState expected = executor.CreateState();
        executor.Prefill(tokens, expected, new float[256]);
        Assert.That(session.State.Position, Is.EqualTo(expected.Position));
        for (int layer = 0; layer < expected.Layers.Length; layer++)
        {
            Assert.That(((CpuState)session.State).Layers[layer].ConvState.SequenceEqual(expected.Layers[layer].ConvState));
            Assert.That(((CpuState)session.State).Layers[layer].SsmState.SequenceEqual(expected.Layers[layer].SsmState));
        }
    }
}
