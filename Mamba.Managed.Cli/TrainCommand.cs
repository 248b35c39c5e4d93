using System.CommandLine;
using System.Globalization;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.Cli;

/// <summary><c>mamba train --data F --output DIR</c>: trains a new model, or continues training one.</summary>
internal static class TrainCommand
{
    private static readonly Dictionary<string, ElementType> types = new()
    {
        ["f32"] = ElementType.Float32,
        ["f16"] = ElementType.Float16,
        ["bf16"] = ElementType.BFloat16,
    };

    public static Command Create()
    {
        Option<string> data = new("--data") { Description = "Text in UTF-8, JSON (.jsonl, .json) or a token file (.tokens).", Required = true };
        Option<string> output = new("--output") { Description = "Folder of the run; ends as a model folder.", Required = true };
        Option<string> shape = new Option<string>("--shape") { Description = "Sizes of a new model over bytes.", DefaultValueFactory = _ => "tiny" }.AcceptOnlyFromAmong(Shapes.Names);
        Option<string> config = new("--config") { Description = "Sizes of a new model: a config.json, with tokenizer.json beside it unless it reads bytes." };
        Option<string> init = new("--init") { Description = "Model folder or GGUF file to go on from." };
        Option<int?> width = Options.Optional("--d-model", "Features of a token, instead of the shape's.", 1, int.MaxValue);
        Option<int?> layers = Options.Optional("--layers", "Blocks, instead of the shape's.", 1, int.MaxValue);
        Option<int?> states = Options.Optional("--d-state", "States of a channel, instead of the shape's.", 1, int.MaxValue);
        Option<int?> expand = Options.Optional("--expand", "Channels for each feature; 2 when left out.", 1, int.MaxValue);
        Option<float> dropout = Options.Plain("--dropout", "Share of each block's output that is dropped.", 0f);
        Option<long> steps = Options.Number("--steps", "Steps of the whole run.", 1000L, 1, long.MaxValue);
        Option<int> batch = Options.Number("--batch", "Windows of a batch.", 8, 1, int.MaxValue);
        Option<int> length = Options.Number("--length", "Tokens of a window.", 256, 1, int.MaxValue);
        Option<double> rate = Options.Plain("--learning-rate", "The rate after the warm-up.", 1e-3);
        Option<double> least = Options.Plain("--min-learning-rate", "The rate at the end of the cosine.", 1e-4);
        Option<long> warmUp = Options.Number("--warm-up", "Steps in which the rate rises.", 0L, 0, long.MaxValue);
        Option<string> schedule = new Option<string>("--schedule") { Description = "How the rate goes on.", DefaultValueFactory = _ => "cosine" }.AcceptOnlyFromAmong("cosine", "constant");
        Option<float> decay = Options.Plain("--weight-decay", "Decoupled decay of the weights.", 0.1f);
        Option<float> beta2 = Options.Plain("--beta2", "Share of the second moment that a step keeps.", 0.95f);
        Option<float> clip = Options.Plain("--clip", "Greatest norm of all gradients together; 0 for no limit.", 1f);
        Option<int> accumulate = Options.Number("--accumulate", "Batches whose gradients make one step.", 1, 1, int.MaxValue);
        Option<double> average = Options.Plain("--ema", "Share of the averaged weights that a step keeps, as 0.999; the average is what is saved. 0 for none.", 0d);
        Option<ulong> seed = Options.Number<ulong>("--seed", "The same seed gives the same run.", 1, 0, ulong.MaxValue);
        Option<int> threads = Options.Threads();
        Option<double> validation = Options.Number("--validation", "Held out at the end of the data: tokens, or a share below 1.", 0.05, 0, 1e15);
        Option<long> validateEvery = Options.Number("--validate-every", "Steps between validations; 0 for one at the end.", 100L, 0, long.MaxValue);
        Option<int> sampleEvery = Options.Number("--sample-every", "Steps between samples of text; 0 for one at the end.", 0, 0, int.MaxValue);
        Option<string> samplePrompt = new("--sample-prompt") { Description = "What samples go on from.", DefaultValueFactory = _ => "\n" };
        Option<long> saveEvery = Options.Number("--save-every", "Steps between checkpoints; the best is always kept.", 100L, 0, long.MaxValue);
        Option<int> keep = Options.Number("--keep", "Checkpoints kept beside the best.", 2, 1, int.MaxValue);
        Option<string> saveType = new Option<string>("--save-type") { Description = "How the finished weights are stored.", DefaultValueFactory = _ => "f32" }.AcceptOnlyFromAmong([.. types.Keys]);
        Option<bool> stateful = new("--stateful") { Description = "Windows follow each other and carry the state on, instead of being shuffled." };
        Option<bool> open = Options.NoDocumentEnd();
        Option<bool> resume = new("--resume") { Description = "Go on from the newest checkpoint in the folder, to the same bits." };
        Command command = new("train", "Train a model, or go on training one.")
        {
            data, output, shape, config, init, width, layers, states, expand, dropout, steps, batch, length, rate, least, warmUp, schedule, decay, beta2, clip,
            accumulate, average, seed, threads, validation, validateEvery, sampleEvery, samplePrompt, saveEvery, keep, saveType, stateful, open, resume,
        };
        Option<string> device = DeviceOption.AddTo(command, threads);
        command.Validators.Add(result =>
        {
            Option[] sources = [shape, config, init];
            if (sources.Count(source => result.GetResult(source) is { Implicit: false }) > 1)
            {
                result.AddError("expected one of --shape, --config and --init, found several");
            }

            Option[] sizes = [width, layers, states, expand];
            if ((result.GetResult(config) ?? result.GetResult(init)) is not null && sizes.FirstOrDefault(size => result.GetResult(size) is not null) is { } given)
            {
                result.AddError($"expected {given.Name} with --shape alone; --config and --init bring their own sizes");
            }
        });
        command.SetAction((parsed, cancel) =>
        {
            double peak = Options.LearningRate(parsed, rate);
            long total = parsed.GetValue(steps);
            bool isCosine = parsed.GetValue(schedule) == "cosine";
            double floor = parsed.GetResult(least) is { Implicit: false }
                ? Options.InRange(parsed, least, floor => floor >= 0 && floor <= peak, string.Create(CultureInfo.InvariantCulture, $"a number from 0 to the learning rate, {peak}"))
                : peak / 10;
            TrainSettings settings = new()
            {
                Data = parsed.GetValue(data)!,
                Output = parsed.GetValue(output)!,
                Init = parsed.GetValue(init),
                Config = parsed.GetValue(config),
                Shape = parsed.GetValue(shape)!,
                Width = parsed.GetValue(width),
                Layers = parsed.GetValue(layers),
                States = parsed.GetValue(states),
                Expand = parsed.GetValue(expand),
                Validation = parsed.GetValue(validation),
                SampleEvery = parsed.GetValue(sampleEvery),
                SamplePrompt = parsed.GetValue(samplePrompt)!,
                EndDocuments = !parsed.GetValue(open),
                Resume = parsed.GetValue(resume),
                Device = new TrainingDevice(parsed, device),
                Trainer = new TrainerOptions
                {
                    Steps = total,
                    Schedule = new LearningRateSchedule(peak, Math.Min(parsed.GetValue(warmUp), total), isCosine ? total : 0, isCosine ? floor : 0),
                    Optimizer = new AdamWOptions
                    {
                        WeightDecay = Options.InRange(parsed, decay, decay => decay >= 0 && float.IsFinite(decay), "a number of 0 or more"),
                        Beta2 = Options.InRange(parsed, beta2, beta => beta >= 0 && beta < 1, "a number from 0 up to but not including 1"),
                        MaxNorm = Options.InRange(parsed, clip, clip => clip >= 0 && float.IsFinite(clip), "a number of 0 or more"),
                    },
                    Batch = new BatchOptions
                    {
                        Windows = parsed.GetValue(batch),
                        Length = parsed.GetValue(length),
                        Seed = parsed.GetValue(seed),
                        CarryState = parsed.GetValue(stateful),
                    },
                    Accumulate = parsed.GetValue(accumulate),
                    Dropout = Options.InRange(parsed, dropout, dropout => dropout >= 0 && dropout < 1, "a number from 0 up to but not including 1"),
                    AverageDecay = Options.InRange(parsed, average, average => average >= 0 && average < 1, "a number from 0 up to but not including 1"),
                    ValidateEvery = parsed.GetValue(validateEvery),
                    SaveEvery = parsed.GetValue(saveEvery),
                    KeepLast = parsed.GetValue(keep),
                    SaveType = types[parsed.GetValue(saveType)!],
                    Threads = parsed.GetValue(threads),
                },
            };

            TrainingRun.Execute(settings, parsed, cancel);
            return Task.FromResult(0);
        });
        return command;
    }
}
