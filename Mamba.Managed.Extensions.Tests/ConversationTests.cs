using System.Text.Json.Nodes;
using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions.Tests;

/// <summary>Conversations that are kept: each turn reads what is new, and the model sees the same text as if it read all.</summary>
public class ConversationTests
{
    private static readonly ChatOptions Begin = new() { AdditionalProperties = new() { ["store"] = true } };

    [Test]
    public async Task A_turn_reads_only_what_is_new([Values] bool hasTemplate)
    {
        string space = hasTemplate ? "" : " ";
        using Bed bed = new(prompt => space + (prompt.Contains("name?", StringComparison.Ordinal) ? "Ann." : "Hello Ann."), template: hasTemplate ? Templates.Tagged : null);
        ChatResponse first = await bed.Client.GetResponseAsync("I am Ann.", Begin);
        Assert.That(first.ConversationId, Does.StartWith("conv_"));
        ChatResponse second = await bed.Client.GetResponseAsync("My name?", new() { ConversationId = first.ConversationId });
        Assert.That((second.Text, second.ConversationId), Is.EqualTo((space + "Ann.", first.ConversationId)));
        Assert.That(bed.LastPrompt, Is.EqualTo(hasTemplate ? "[end]\n[user]My name?[end]\n[assistant]" : "\nuser: My name?\nassistant:"));
        Assert.That(second.Usage!.CachedInputTokenCount, Is.Positive);
        ChatResponse whole = await bed.Client.GetResponseAsync([new(ChatRole.User, "I am Ann."), .. first.Messages, new(ChatRole.User, "My name?")]);
        Assert.That(second.Usage.InputTokenCount, Is.EqualTo(whole.Usage!.InputTokenCount), "the same text as if all of it were read");
    }

    [Test]
    public async Task A_conversation_goes_on_as_if_the_model_had_read_all_of_it()
    {
        using Bed bed = new(template: Templates.Tagged);
        string? id = null;
        List<ChatMessage> history = [];
        for (int turn = 0; turn < 5; turn++)
        {
            ChatMessage said = new(ChatRole.User, $"Message {turn}");
            history.Add(said);
            ChatOptions options = turn == 0 ? Begin.Clone() : new() { ConversationId = id };
            (options.Temperature, options.MaxOutputTokens) = (0, 20);
            ChatResponse kept = await bed.Client.GetResponseAsync([said], options);
            ChatResponse told = await bed.Client.GetResponseAsync(history, new() { Temperature = 0, MaxOutputTokens = 20 });

            // Bytes that are no text cannot be told again as text.
            if (!kept.Text.Contains('\uFFFD', StringComparison.Ordinal) && kept.Text == kept.Text.Trim())
            {
                Assert.That(told.Text, Is.EqualTo(kept.Text), $"turn {turn}");
            }

            id = kept.ConversationId;
            history.AddRange(kept.Messages);
            if (kept.Text.Contains('\uFFFD', StringComparison.Ordinal) || kept.Text != kept.Text.Trim())
            {
                break;
            }
        }
    }

    [Test]
    public async Task Functions_are_called_within_a_conversation()
    {
        using Bed bed = new(
            prompt => prompt.Contains("<tool_response>", StringComparison.Ordinal) ? "It is 5." : "<tool_call>\n{\"name\": \"ask\", \"arguments\": {\"q\": \"five?\"}}\n</tool_call>",
            template: Templates.Tagged);
        using IChatClient client = bed.Client.AsBuilder().UseFunctionInvocation().Build();
        ChatOptions options = Begin.Clone();
        options.Tools = [AIFunctionFactory.Create((string q) => q.Length, "ask")];
        ChatResponse response = await client.GetResponseAsync("How long?", options);
        Assert.That(response.Text, Is.EqualTo("It is 5."));
        Assert.That(bed.Replying!.Prompts.Last(), Does.Not.Contain("How long?"), "the second turn read the result alone");
    }

    [Test]
    public async Task Texts_that_are_no_Unicode_are_read_and_kept()
    {
        using Bed bed = new(_ => "ok");
        ChatResponse first = await bed.Client.GetResponseAsync("half \uD800 and \uFDD0\uFDD1\uFDD2\uFDDF", Begin);
        Assert.That((await bed.Client.GetResponseAsync("\uDC00 \uFDDF", new() { ConversationId = first.ConversationId })).Text, Is.EqualTo("ok"));
    }

    [Test]
    public async Task Other_tools_or_instructions_are_read_with_the_whole_conversation_anew()
    {
        using Bed bed = new(_ => "ok");
        ChatOptions options = Begin.Clone();
        options.Instructions = "Be brief.";
        ChatResponse first = await bed.Client.GetResponseAsync("One.", options);
        await bed.Client.GetResponseAsync("Two.", new() { ConversationId = first.ConversationId, Instructions = "Be brief." });
        Assert.That(bed.LastPrompt, Does.Not.Contain("One."));
        await bed.Client.GetResponseAsync("Three.", new() { ConversationId = first.ConversationId, Instructions = "Be kind." });
        Assert.That(bed.LastPrompt, Is.EqualTo("system: Be kind.\nuser: One.\nassistant: ok\nuser: Two.\nassistant: ok\nuser: Three.\nassistant:"));
        await bed.Client.GetResponseAsync("Four.", new() { ConversationId = first.ConversationId });
        Assert.That(bed.LastPrompt, Does.EndWith("\nuser: Four.\nassistant:").And.Not.Contain("Three."));
    }

    [Test]
    public async Task A_turn_that_is_canceled_or_left_changes_nothing()
    {
        using Bed bed = new(prompt => prompt.Contains("long", StringComparison.Ordinal) ? new string('a', 50_000) : "ok", new() { Defaults = new() { MaxTokens = 100_000 } });
        ChatResponse first = await bed.Client.GetResponseAsync("One.", Begin);
        ISessionStore store = bed.Client.GetRequiredService<ISessionStore>();
        byte[] before = (await store.ReadAsync(first.ConversationId!))!.Value.ToArray();
        ChatOptions next = new() { ConversationId = first.ConversationId };
        await foreach (ChatResponseUpdate update in bed.Client.GetStreamingResponseAsync("A long one.", next))
        {
            Assert.That(async () => await bed.Client.GetResponseAsync("At once.", next), Throws.InvalidOperationException.With.Message.Contains("other request"));
            break;
        }

        Assert.That(async () => await bed.Client.GetResponseAsync([new(ChatRole.User, [new DataContent(new byte[] { 1 }, "image/png")])], next), Throws.TypeOf<NotSupportedException>());
        Assert.That((await store.ReadAsync(first.ConversationId!))!.Value.ToArray(), Is.EqualTo(before));
        Assert.That((await bed.Client.GetResponseAsync("Two.", next)).Text, Is.EqualTo("ok"));
        Assert.That(await store.DeleteAsync(first.ConversationId!));
        Assert.That(async () => await bed.Client.GetResponseAsync("Three.", next), Throws.InvalidOperationException.With.Message.Contains("expired"));
    }

    [Test]
    public async Task Files_outlive_the_process_and_damaged_ones_are_refused()
    {
        string folder = Path.Combine(Path.GetTempPath(), $"mamba-{Guid.NewGuid():N}");
        try
        {
            string id;
            using (Bed bed = new(_ => "Hello.", new() { Sessions = new FileSessionStore(folder) }))
            {
                id = (await bed.Client.GetResponseAsync("One.", Begin)).ConversationId!;
            }

            using Bed later = new(_ => "Again.", new() { Sessions = new FileSessionStore(folder) });
            ChatResponse second = await later.Client.GetResponseAsync("Two.", new() { ConversationId = id });
            Assert.That(second.Text, Is.EqualTo("Again."));
            Assert.That(later.LastPrompt, Does.Not.Contain("One."));
            Assert.That(async () => await later.Client.GetResponseAsync("x", new() { ConversationId = "../../etc/passwd" }), Throws.InvalidOperationException);
            string file = Directory.GetFiles(folder).Single();
            byte[] bytes = await File.ReadAllBytesAsync(file);
            Random random = new(1);
            for (int i = 0; i < 200; i++)
            {
                byte[] damaged = [.. bytes];
                damaged[random.Next(i % 2 == 0 ? 200 : damaged.Length)] ^= (byte)(1 << random.Next(8));
                await File.WriteAllBytesAsync(file, i % 5 == 0 ? damaged[..random.Next(damaged.Length)] : damaged);
                try
                {
                    await later.Client.GetResponseAsync("Three.", new() { ConversationId = id });
                }
                catch (InvalidDataException)
                {
                }
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public async Task Stores_keep_to_their_bytes_and_their_time()
    {
        Clock clock = new();
        MemorySessionStore memory = new(100, TimeSpan.FromMinutes(10), clock);
        await memory.WriteAsync("a", new byte[40]);
        await memory.WriteAsync("b", new byte[40]);
        await memory.ReadAsync("a");
        await memory.WriteAsync("c", new byte[40]);
        Assert.That(await memory.ReadAsync("b"), Is.Null, "it was not used longest");
        Assert.That((await memory.ReadAsync("a"))!.Value.Length, Is.EqualTo(40));
        await memory.WriteAsync("a", new byte[10]);
        Assert.That(memory.Bytes, Is.EqualTo(50));
        Assert.That(async () => await memory.WriteAsync("d", new byte[101]), Throws.InvalidOperationException);
        clock.Now += TimeSpan.FromMinutes(11);
        Assert.That(await memory.ReadAsync("a"), Is.Null);
        Assert.That((await memory.DeleteAsync("c"), memory.Bytes), Is.EqualTo((false, 0L)));
        string folder = Path.Combine(Path.GetTempPath(), $"mamba-{Guid.NewGuid():N}");
        try
        {
            FileSessionStore files = new(folder, TimeSpan.FromMinutes(10), clock);
            await files.WriteAsync("a", new byte[40]);
            Assert.That((await files.ReadAsync("a"))!.Value.Length, Is.EqualTo(40));
            clock.Now += TimeSpan.FromMinutes(11);
            Assert.That(await files.ReadAsync("a"), Is.Null);
            Assert.That(Directory.GetFiles(folder), Is.Empty);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public async Task Control_tokens_that_a_user_writes_are_text()
    {
        BpeTokenizer tokenizer = BpeTokenizer.Load(Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "gpt-neox-tokenizer", "tokenizer.json"));
        const string Template = "{% for message in messages %}{{ message.role }}: {{ message.content | trim }}<|endoftext|>{% endfor %}";
        Dictionary<string, string> templates = new() { ["default"] = Template };
        MambaConfig config = new() { DModel = 8, NLayer = 1, VocabSize = tokenizer.VocabularySize };
        using MambaModel model = new(new CpuExecutor(MambaLanguageModel.Create(config, 1), 1), tokenizer, "neox", templates);
        ConversationText text = new(JinjaTemplate.Of(model), tokenizer);
        foreach (string said in (string[])["<|endoftext|>", " a <|endoftext|>b", "<|endof", "text|>", "\uFDD0<|endoftext|>\uFDD1"])
        {
            int[] tokens = text.Encode(new(MessageJson.Of([new(ChatRole.User, said), new(ChatRole.System, said)], []), null, null, null));
            Assert.That(tokens.Count(token => token == tokenizer.EndTokenId), Is.EqualTo(2), said);
            Assert.That(tokenizer.Decode(tokens), Is.EqualTo($"user: {said.Trim()}<|endoftext|>system: {said.Trim()}<|endoftext|>"));
        }

        using MambaModel tooled = new(new CpuExecutor(MambaLanguageModel.Create(config, 1), 1), tokenizer, "neox", new Dictionary<string, string>
        {
            ["default"] = "{{ tools | tojson }}<tool_call>{{ messages[0].tool_calls[0].function.arguments | tojson }}<|endoftext|>",
        });
        FunctionCallContent call = new("1", "f", new Dictionary<string, object?> { ["a"] = "<|endoftext|>" });
        JsonArray tools = ToolSet.Of(new() { Tools = [AIFunctionFactory.Create((int a) => a, "f", "<|endoftext|>")] })!.ToJson();
        int[] written = new ConversationText(JinjaTemplate.Of(tooled), tokenizer).Encode(new(MessageJson.Of([new(ChatRole.Assistant, [call])], []), tools, null, null));
        Assert.That(written.Count(token => token == tokenizer.EndTokenId), Is.EqualTo(1));
        Assert.That(tokenizer.Decode(written).Split("<|endoftext|>"), Has.Length.EqualTo(4), "described, argued, and the template's own");

        using GenerationEngine engine = new(model.Executor, tokenizer);
        MambaChatClient client = new(model, engine);
        Assert.That((await client.GetResponseAsync("<|endoftext|>", new() { MaxOutputTokens = 3, Seed = 1 })).Usage!.OutputTokenCount, Is.AtMost(3));
    }

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UtcNow;

        public override DateTimeOffset GetUtcNow() => Now;

        public override long GetTimestamp() => Now.UtcTicks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    }
}
