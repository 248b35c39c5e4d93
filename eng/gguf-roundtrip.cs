#:project ../Mamba.Managed/Mamba.Managed.csproj
#:property PublishAot=false

// This library's side of eng/gguf-roundtrip.sh:
//   convert SOURCE FILE.gguf TYPE     writes a GGUF file
//   perplexity FILE.gguf TEXT WINDOW  prints the perplexity as llama-perplexity computes it
using System.Globalization;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Execution;

if (args is ["convert", string source, string destination, string type])
{
    ModelConversion.ToGguf(source, destination, Enum.Parse<GgufFileType>(type));
    return 0;
}

if (args is not ["perplexity", string model, string text, string size])
{
    return 2;
}

int window = int.Parse(size, CultureInfo.InvariantCulture);
int[] tokens = [.. File.ReadAllBytes(text).Select(b => (int)b)];
using CpuExecutor executor = CpuExecutor.Load(model);
int vocabulary = executor.Config.VocabSize;
float[] logits = new float[window * vocabulary];
double sum = 0;
long count = 0;
for (int start = 0; start + window <= tokens.Length; start += window)
{
    // Each window starts anew, and its first half is context only.
    executor.Prefill(tokens.AsSpan(start, window), executor.CreateState(), logits);
    for (int i = window / 2; i < window - 1; i++, count++)
    {
        float[] row = logits[(i * vocabulary)..((i + 1) * vocabulary)];
        sum += Math.Log(row.Sum(v => Math.Exp(v))) - row[tokens[start + i + 1]];
    }
}

Console.WriteLine(Math.Exp(sum / count).ToString("f5", CultureInfo.InvariantCulture));
return 0;
