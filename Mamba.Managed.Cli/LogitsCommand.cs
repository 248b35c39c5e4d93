using System.CommandLine;
using System.Globalization;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba logits [MODEL] --tokens "1 2 3" --output F.safetensors</c>: the logits of each token.</summary>
internal static class LogitsCommand
{
    public static Command Create()
    {
        Argument<string> model = Options.Model();
        Option<string> tokens = new("--tokens") { Description = "Token ids with spaces or commas between.", Required = true };
        Option<string> output = new("--output") { Description = "The safetensors file to write: logits [length, vocabulary] in float32.", Required = true };
        Option<int> chunk = Options.Number("--chunk", "Tokens fed at a time; 0 for all at once. The result is the same bits.", 0, 0, int.MaxValue);
        Option<int> threads = Options.Threads();
        Command command = new("logits", "Write the logits of each token of a sequence.") { model, tokens, output, chunk, threads };
        Option<string> device = DeviceOption.AddTo(command, threads);
        command.SetAction(parsed =>
        {
            int[] ids = TokenIds.Parse(parsed.GetValue(tokens)!);
            using IMambaExecutor executor = Load(parsed, Options.ModelOf(parsed, model), device, parsed.GetValue(threads));
            Tensor logits = Compute(executor, ids, parsed.GetValue(chunk));
            Checkpoint.SaveTensors(parsed.GetValue(output)!, new Dictionary<string, Tensor> { ["logits"] = logits });
        });
        return command;
    }

    private static IMambaExecutor Load(ParseResult parsed, string path, Option<string> device, int threads)
    {
        using ModelSource source = ModelSource.Open(path);
        return DeviceOption.CreateExecutor(parsed, device, threads, source.Model);
    }

    private static Tensor Compute(IMambaExecutor executor, int[] ids, int chunk)
    {
        int vocabulary = executor.Config.VocabSize;
        int most = int.MaxValue / vocabulary;
        if (ids.Length > most)
        {
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"--tokens: expected at most {most} tokens at this vocabulary, found {ids.Length}"));
        }

        float[] logits = new float[ids.Length * vocabulary];
        using SequenceState state = executor.CreateState();
        chunk = chunk == 0 ? ids.Length : chunk;
        for (int start = 0; start < ids.Length; start += chunk)
        {
            int length = Math.Min(chunk, ids.Length - start);
            Span<float> rows = logits.AsSpan(start * vocabulary, length * vocabulary);
            executor.Prefill(ids.AsSpan(start, length), state, rows);
            if (!System.Numerics.Tensors.TensorPrimitives.IsFiniteAll<float>(rows))
            {
                throw new InvalidDataException("expected finite logits, found others; the model's weights are damaged");
            }
        }

        return Tensor.FromFloats(logits, ids.Length, vocabulary);
    }
}
