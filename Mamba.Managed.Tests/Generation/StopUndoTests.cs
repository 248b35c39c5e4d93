using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Generation;

/// <summary>A stop string that was found leaves no trace: the session goes on as one that was given the text before it.</summary>
public sealed class StopUndoTests : IDisposable
{
    private static readonly MambaConfig Config = new() { DModel = 16, NLayer = 2, VocabSize = 256, InitializerRange = 1, TieEmbeddings = false };

    private readonly CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
    private readonly ByteTokenizer bytes = new();

    public void Dispose() => executor.Dispose();

    [TestCase("one two\nUser: x", "\nUser:", "one two")]
    [TestCase("ababac.", "abac", "ab")]
    [TestCase("x\u20acy\u20acz", "\u20acz", "x\u20acy")]
    [TestCase("stop", "stop", "")]
    [TestCase("a", "a", "")]
    public async Task A_session_goes_on_from_before_the_stop_string(string generated, string stop, string kept)
    {
        using GenerationEngine engine = new(new ScriptedExecutor(executor, [.. new int[1], .. bytes.Encode(generated)]), bytes), plain = new(executor, bytes);
        using GenerationSession session = engine.CreateSession(seed: 1), expected = plain.CreateSession(seed: 1);
        GenerationResult result = await engine.GenerateAsync(new(bytes.Encode("??")) { Options = new() { Temperature = 0, Stop = [stop] }, Session = session });
        Assert.That((result.Text, result.FinishReason), Is.EqualTo((kept, FinishReason.Stop)));
        Assert.That(session.Tokens.ToArray(), Is.EqualTo(bytes.Encode("??" + kept)));
        Assert.That(session.State.Position, Is.LessThanOrEqualTo(session.Tokens.Length));

        expected.Append(bytes.Encode("??" + kept));
        GenerationRequest next = new(bytes.Encode("!!")) { Options = new() { MaxTokens = 20, Temperature = 0 } };
        Assert.That(
            (await plain.GenerateAsync(next with { Session = session })).Tokens,
            Is.EqualTo((await plain.GenerateAsync(next with { Session = expected })).Tokens));
    }

    [Test]
    public async Task Only_text_that_may_become_a_stop_string_is_fed_again()
    {
        string generated = "A long text before it.\n\nUser: and";
        using GenerationEngine engine = new(new ScriptedExecutor(executor, [0, .. bytes.Encode(generated)]), bytes);
        using GenerationSession session = engine.CreateSession();
        await engine.GenerateAsync(new(bytes.Encode("??")) { Options = new() { Temperature = 0, Stop = ["\nUser:"] }, Session = session });
        int kept = bytes.Encode("??A long text before it.\n").Length;
        Assert.That((session.Tokens.Length, session.State.Position), Is.EqualTo((kept, (long)kept)));
    }

    [Test]
    public async Task A_stop_string_that_began_in_an_earlier_stream_is_taken_out_as_well()
    {
        using GenerationEngine engine = new(new ScriptedExecutor(executor, [0, .. bytes.Encode("yes\nUser: no")]), bytes);
        using GenerationSession session = engine.CreateSession();
        GenerationRequest request = new(bytes.Encode("??")) { Options = new() { Temperature = 0, Stop = ["\nUser:"] }, Session = session };
        string text = "";
        await foreach (GeneratedToken token in engine.Stream(request))
        {
            text += token.Text;
            if (session.Tokens.Length == 2 + "yes\nUs".Length)
            {
                break;
            }
        }

        Assert.That(text, Is.EqualTo("yes"));
        GenerationResult rest = await engine.GenerateAsync(request with { Prompt = default });
        Assert.That((rest.Text, rest.FinishReason), Is.EqualTo(("", FinishReason.Stop)));
        Assert.That(session.Tokens.ToArray(), Is.EqualTo(bytes.Encode("??yes")));
    }
}
