using System.Text.Json.Nodes;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Grammars;
using Mamba.Managed.Models;
using Mamba.Managed.Templates;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Generation;

public class MambaModelTests
{
    private static string Fixtures => Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures");

    [Test]
    public async Task A_folder_is_opened_for_service()
    {
        using MambaModel model = MambaModel.Load(Path.Combine(Fixtures, "shakespeare-bytes") + "/", 1);
        Assert.That((model.Name, model.ChatTemplate, model.Fingerprint), Is.EqualTo(("shakespeare-bytes", (ChatTemplate?)null, model.Executor.Fingerprint)));
        Assert.That(model.Vocabulary.Size, Is.EqualTo(256));
        using GenerationEngine engine = new(model.Executor, model.Tokenizer);
        GenerationResult result = await engine.GenerateAsync(new(model.Tokenizer.Encode("ROMEO:")) { Options = new() { MaxTokens = 5, Temperature = 0 } });
        Assert.That(result.Tokens, Has.Count.EqualTo(5));
    }

    [Test]
    public void A_file_gives_its_name_and_its_template()
    {
        using MambaModel model = MambaModel.Load(Path.Combine(Fixtures, "gguf", "shakespeare-Q8_0.gguf"), 1);
        Assert.That(model.Name, Is.EqualTo("shakespeare-Q8_0"));
        using TemporaryFolder folder = new(Path.Combine(Path.GetTempPath(), $"mamba-{Guid.NewGuid()}"));
        foreach (string file in Directory.GetFiles(Path.Combine(Fixtures, "shakespeare-bytes")))
        {
            File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));
        }

        File.WriteAllText(Path.Combine(folder.Path, "chat_template.jinja"), "{{ messages[0].content }}");
        using MambaModel second = MambaModel.Load(folder.Path, 1, "second");
        Assert.That(second.Name, Is.EqualTo("second"));
        Assert.That(second.ChatTemplate!.Render(new() { ["messages"] = new JsonArray(new JsonObject { ["content"] = "hi" }) }), Is.EqualTo("hi"));
    }

    [Test]
    public void Parts_of_different_models_are_refused()
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(new() { DModel = 16, NLayer = 1, VocabSize = 100 }, 1), 1);
        Assert.That(() => new MambaModel(executor, new ByteTokenizer()), Throws.ArgumentException);
    }

    [Test]
    public async Task A_run_ends_where_its_constraint_is_complete()
    {
        using MambaModel model = MambaModel.Load(Path.Combine(Fixtures, "shakespeare-bytes"), 1);
        using GenerationEngine engine = new(model.Executor, model.Tokenizer);
        Grammar grammar = Grammar.Parse("root ::= \"say \" reply \".\"", new Dictionary<string, System.Text.Json.JsonElement>
        {
            ["reply"] = System.Text.Json.JsonElement.Parse("""{"type":"object","properties":{"a":{"type":"boolean"}},"required":["a"],"additionalProperties":false}"""),
        });
        GenerationResult result = await engine.GenerateAsync(new(model.Tokenizer.Encode("ROMEO:"))
        {
            Options = new() { Seed = 1, MaxTokens = 500 }, Constraint = new GrammarConstraint(grammar, model.Vocabulary, []),
        });
        Assert.That(result.FinishReason, Is.EqualTo(FinishReason.EndToken));
        Assert.That(result.Text, Does.Match("^say \\{\\s*\"a\": ?(true|false)\\s*\\}\\.$"));
    }
}
