using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Mamba.Managed.Extensions.Tests;

/// <summary>Functions: what the model is told of them, calls of them, and their results.</summary>
public class ToolTests
{
    private static readonly AIFunction Multiply = AIFunctionFactory.Create([System.ComponentModel.Description("Multiplies.")] (int a, int b) => a * b, "SecretComputation");
    private static readonly AIFunction Ask = AIFunctionFactory.Create((string question) => question.Length, "ask");

    private static string Call(string name, string arguments) => $"<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>";

    [Test]
    public async Task A_call_comes_out_and_its_result_goes_in([Values] bool isStreaming, [Values] bool hasTemplate)
    {
        using Bed bed = new(
            prompt => prompt.Contains("<tool_response>", StringComparison.Ordinal) ? "It is 3528." : "Let me see. " + Call("SecretComputation", "{\"a\": 42, \"b\": 84}"),
            template: hasTemplate ? Templates.Tagged : null);
        using IChatClient client = bed.Client.AsBuilder().UseFunctionInvocation().Build();
        ChatOptions options = new() { Tools = [Multiply, Ask] };
        ChatResponse response = isStreaming
            ? await client.GetStreamingResponseAsync("Compute 42 and 84", options).ToChatResponseAsync()
            : await client.GetResponseAsync("Compute 42 and 84", options);
        Assert.That(response.Text, Does.EndWith("It is 3528."));
        Assert.That(bed.Replying!.Prompts, Has.Count.EqualTo(2));
        Assert.That(bed.Replying.Prompts.First(), Does.Contain("Multiplies.").And.Contain("SecretComputation"));
        Assert.That(bed.LastPrompt, Does.Contain(hasTemplate ? "<tool_response>3528</tool_response>" : "<tool_response>\n3528\n</tool_response>"));
        Assert.That(bed.LastPrompt, Does.Contain("\"SecretComputation\", \"arguments\"").Or.Contain("{\"name\":\"SecretComputation\",\"arguments\":{\"a\":42,\"b\":84}}"));
        FunctionCallContent call = response.Messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>().Single();
        Assert.That((call.Name, call.Arguments!["a"]!.ToString()), Is.EqualTo(("SecretComputation", "42")));
        Assert.That(response.Messages[0].Text, Is.EqualTo("Let me see. "));
    }

    [Test]
    public async Task Calls_end_with_their_own_finish_reason_and_text_before_them_is_not_lost()
    {
        using Bed bed = new(_ => "a < b <tool" + Call("ask", "{\"question\": \"</tool_call>\"}") + "\n" + Call("ask", "{\"question\": \"2\"}"));
        List<ChatResponseUpdate> updates = await bed.Client.GetStreamingResponseAsync("Hi", new() { Tools = [Ask] }).ToListAsync();
        ChatResponse response = updates.ToChatResponse();
        Assert.That((response.Text, response.FinishReason), Is.EqualTo(("a < b <tool", (ChatFinishReason?)ChatFinishReason.ToolCalls)));
        FunctionCallContent[] calls = [.. response.Messages[0].Contents.OfType<FunctionCallContent>()];
        Assert.That(calls.Select(call => call.Arguments!["question"]!.ToString()), Is.EqualTo(new[] { "</tool_call>", "2" }));
        Assert.That(calls.Select(call => call.CallId).Distinct().Count(), Is.EqualTo(2));
        Assert.That(updates.Count, Is.GreaterThan(8), "text is not held back");
        using Bed plain = new(_ => "1 < 2 and <tool_calm>");
        ChatResponse spoken = await plain.Client.GetResponseAsync("Hi", new() { Tools = [Ask] });
        Assert.That((spoken.Text, spoken.FinishReason), Is.EqualTo(("1 < 2 and <tool_calm>", (ChatFinishReason?)ChatFinishReason.Stop)));
    }

    [Test]
    public async Task What_a_mode_requires_is_called_whatever_the_model([Range(0, 5)] int seed)
    {
        using Bed bed = new();
        AIFunction flag = AIFunctionFactory.Create((bool up, Level level) => up, "shields");
        ChatOptions options = new() { Tools = [Multiply, flag], ToolMode = ChatToolMode.RequireSpecific("shields"), Seed = seed, AllowMultipleToolCalls = false };
        ChatResponse named = await bed.Client.GetResponseAsync("Hi", options);
        FunctionCallContent call = named.Messages[0].Contents.OfType<FunctionCallContent>().Single();
        Assert.That((call.Name, named.FinishReason, named.Text), Is.EqualTo(("shields", (ChatFinishReason?)ChatFinishReason.ToolCalls, "")));
        Assert.That(((JsonElement)call.Arguments!["up"]!).ValueKind, Is.AnyOf(JsonValueKind.True, JsonValueKind.False));
        Assert.That(Enum.TryParse<Level>(call.Arguments["level"]!.ToString(), out _));
        options.ToolMode = ChatToolMode.RequireAny;
        options.AllowMultipleToolCalls = null;
        ChatResponse any = await bed.Client.GetResponseAsync("Hi", options);
        FunctionCallContent[] calls = [.. any.Messages[0].Contents.OfType<FunctionCallContent>()];
        Assert.That(calls, Is.Not.Empty);
        Assert.That(calls.Select(found => found.Name).Distinct(), Is.SubsetOf(new[] { "shields", "SecretComputation" }));
    }

    [Test]
    public async Task Modes_that_cannot_be_met_are_refused_and_none_offers_nothing()
    {
        using Bed bed = new(_ => Call("ask", "{}"));
        Assert.That(async () => await bed.Client.GetResponseAsync("x", new() { ToolMode = ChatToolMode.RequireAny }), Throws.ArgumentException);
        Assert.That(async () => await bed.Client.GetResponseAsync("x", new() { Tools = [Ask], ToolMode = ChatToolMode.RequireSpecific("other") }),
            Throws.ArgumentException.With.Message.Contains("other"));
        Assert.That(async () => await bed.Client.GetResponseAsync("x", new() { Tools = [Ask, Ask] }), Throws.ArgumentException.With.Message.Contains("ask"));
        ChatResponse none = await bed.Client.GetResponseAsync("x", new() { Tools = [Ask], ToolMode = ChatToolMode.None });
        Assert.That(none.Text, Does.StartWith("<tool_call>"));
        Assert.That(bed.LastPrompt, Does.Not.Contain("question"));
    }

    [Test]
    public async Task A_call_that_is_cut_off_is_text()
    {
        using Bed bed = new(_ => Call("ask", "{\"question\": \"a long one\"}"));
        ChatResponse response = await bed.Client.GetResponseAsync("x", new() { Tools = [Ask], MaxOutputTokens = 40 });
        Assert.That((response.Text[..11], response.FinishReason), Is.EqualTo(("<tool_call>", (ChatFinishReason?)ChatFinishReason.Length)));
    }

    [Test]
    public async Task A_reply_in_a_format_may_also_be_a_call()
    {
        using Bed bed = new(prompt => prompt.Contains("<tool_response>", StringComparison.Ordinal) ? "{\"name\": \"Ann\"}" : Call("ask", "{\"question\": \"who?\"}"));
        using IChatClient client = bed.Client.AsBuilder().UseFunctionInvocation().Build();
        ChatResponse<Person> response = await client.GetResponseAsync<Person>("Who?", new ChatOptions { Tools = [Ask] });
        Assert.That(response.Result.Name, Is.EqualTo("Ann"));
    }

    [Test]
    public async Task Schemas_that_grammars_do_not_know_are_no_reason_to_refuse_a_function()
    {
        using Bed bed = new();
        AITool[] tools =
        [
            AIFunctionFactory.Create((int? i, string? s, double d, decimal m, float f, long l, char c) => 1, "a"),
            AIFunctionFactory.Create((DateTime t, DateTimeOffset? o, TimeSpan s, DateOnly d, TimeOnly n, Uri u, Guid g) => 1, "b"),
            AIFunctionFactory.Create((List<int> list, int[] array, Person? person, Level level = Level.High, string text = "x") => 1, "c"),
            AIFunctionFactory.CreateDeclaration("d", "strange", JsonElement.Parse("""{"type":"object","minProperties":2}""")),
            AIFunctionFactory.CreateDeclaration("e", null, JsonElement.Parse("{}")),
        ];
        for (int seed = 0; seed < tools.Length * 2; seed++)
        {
            string name = tools[seed % tools.Length].Name;
            ChatResponse response = await bed.Client.GetResponseAsync("x", new() { Tools = tools, ToolMode = ChatToolMode.RequireSpecific(name), Seed = seed, MaxOutputTokens = 4000, AllowMultipleToolCalls = false });
            Assert.That(response.FinishReason == ChatFinishReason.Length || response.Messages[0].Contents.OfType<FunctionCallContent>().Single().Name == name, response.Text);
        }
    }

    private enum Level
    {
        Low,
        High,
    }

    private sealed record Person(string Name);
}
